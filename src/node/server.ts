/** A Sluice server on Node: its parts chosen by the configuration, served, and drained in good order. */
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import pino from 'pino';
import type { Bus } from '../bus/bus.ts';
import { createPostgresBus } from '../bus/postgres.ts';
import { createRealtime, type Realtime, type RealtimeOptions } from '../http/realtime.ts';
import { compileTopicPattern } from '../protocol/topic.ts';
import { createMemoryStore } from '../store/memory.ts';
import { openPglite } from '../store/postgres/pglite.ts';
import { connectPostgres } from '../store/postgres/postgres-js.ts';
import { createPostgresStore } from '../store/postgres/postgres-store.ts';
import type { Store } from '../store/store.ts';
import type { Config, Mode } from './config.ts';
import { devPage } from './dev-page/dev-page.ts';
import { startHostMetrics } from './host-metrics.ts';
import { isLocal, refuseStrangers } from './loopback.ts';
import { StartError } from './start-error.ts';

export interface RunningServer {
  /** Where it answers, without a slash at the end. */
  readonly url: string;
  readonly realtime: Realtime;
  /** Drains and ends: open streams are told, requests in flight finish. Takes 10 s at most. */
  close(): Promise<void>;
}

/** What is still open so long after the drain began is cut, in ms. */
const DRAIN_MS = 8000;
/** Requests must be whole within this time, and their headers within the shorter one, in ms. */
const REQUEST_MS = 30_000;
const HEADERS_MS = 10_000;

/** @throws StartError when the database, the data directory or the port cannot be had */
export async function startServer(config: Config, { mode }: { readonly mode: Mode }): Promise<RunningServer> {
  const log = pino({ level: config.logLevel }, pino.destination(2));
  const node = crypto.randomUUID().slice(0, 8);
  const { store, bus } = await openParts(config, node);
  const realtime = createRealtime({
    ...optionsOf(config),
    store,
    ...(bus && { bus }),
    node,
    log,
    local: mode === 'dev' ? isLocal : () => false,
  });
  const app = mode === 'dev' ? devApp(realtime) : realtime;
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = HEADERS_MS;
  server.keepAliveTimeout = 65_000;
  try {
    await Promise.all([realtime.started, listen(server, config)]);
  } catch (error) {
    await realtime.close();
    throw error;
  }
  const metrics =
    mode === 'dev' ? startHostMetrics({ publish: (topic, event) => realtime.publish(topic, event) }) : undefined;
  const { address, port, family } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    realtime,
    close() {
      closing ??= (async () => {
        metrics?.stop();
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        realtime.drain();
        server.closeIdleConnections();
        const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
        // A keep-alive connection becomes idle when its request ends: it must not hold the drain up.
        const idle = setInterval(() => server.closeIdleConnections(), 100);
        await closed;
        clearTimeout(cut);
        clearInterval(idle);
        await realtime.close();
      })();
      return closing;
    },
  };
}

async function openParts(
  { database }: Config,
  node: string,
): Promise<{ readonly store: Store; readonly bus: Bus | undefined }> {
  const schedule = setImmediate;
  try {
    switch (database.kind) {
      case 'memory':
        return { store: createMemoryStore(), bus: undefined };
      case 'embedded':
        mkdirSync(database.dir, { recursive: true });
        return {
          store: await createPostgresStore(await openPglite(`${database.dir}/postgres`), { schedule }),
          bus: undefined,
        };
      case 'postgres':
        return {
          store: await createPostgresStore(await connectPostgres({ url: database.url }), { schedule }),
          bus: createPostgresBus({ database: database.url, node }),
        };
    }
  } catch (error) {
    throw new StartError(
      'database',
      `The database cannot be opened: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function optionsOf(config: Config): RealtimeOptions {
  const patterns = config.compactTopics.map(compileTopicPattern).filter((pattern) => pattern !== undefined);
  const { requestBytes, eventBytes, topicsPerStream, ...callerLimits } = config.limits;
  return {
    auth: config.auth,
    cors: config.corsOrigins,
    limits: { requestBytes, eventBytes, topicsPerStream },
    callerLimits,
    retention: config.retention,
    ...(patterns.length > 0 && { compact: (topic: string) => patterns.some((covers) => covers(topic)) }),
    trustProxy: config.trustProxy,
    schedule: setImmediate,
  };
}

function devApp(realtime: Realtime): Hono {
  const app = new Hono();
  app.use(refuseStrangers);
  app.route('/', devPage());
  app.route('/', realtime as unknown as Hono);
  return app;
}

function listen(server: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new StartError('port-in-use', `Port ${port} is in use. Choose another with --port.`, { cause: error })
          : error,
      );
    });
    server.listen(port, host, () => resolve());
  });
}
