/** A Sluice server on Node: its parts chosen by the configuration, served, and drained in good order. */
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { createRealtime, type Realtime, type RealtimeOptions } from '../http/realtime.ts';
import { compileTopicPattern } from '../protocol/topic.ts';
import type { Retention } from '../store/store.ts';
import type { Config, Mode } from './config.ts';
import { createLogger } from './logger.ts';
import { isLocal, refuseStrangers } from './loopback.ts';
import { createNodeCounters } from './node-counters.ts';
import { openParts, type Parts } from './parts.ts';
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
/** How often connections whose last request has ended are looked for during a drain, in ms. */
const IDLE_MS = 50;
/** Requests must be whole within this time, and their headers within the shorter one, in ms. */
const REQUEST_MS = 30_000;
const HEADERS_MS = 10_000;
/** Longer than proxies keep an idle connection to us, so that it is they who close it. */
const KEEP_ALIVE_MS = 65_000;

/** An event a second is worth keeping for the page's charts, not for a week. */
const HOST_METRICS = 'host:metrics';
const SHORT: Retention = { ageMs: 3_600_000 };

/** @throws StartError when the database, the data directory or the port cannot be had */
export async function startServer(config: Config, { mode }: { readonly mode: Mode }): Promise<RunningServer> {
  const node = crypto.randomUUID().slice(0, 8);
  const log = createLogger({ level: config.logLevel, format: mode === 'dev' ? 'human' : 'json', fields: { node } });
  const counters = createNodeCounters();
  let appendBatches = 0;
  const parts = await openParts(config, {
    node,
    log,
    onCommit: () => {
      appendBatches += 1;
    },
  });
  const { store, bus } = parts;
  const realtime = createRealtime({
    ...optionsOf(config, mode),
    ...(mode === 'dev' && { local: isLocal, guard: refuseStrangers }),
    ...(bus && { bus }),
    store: { ...store, log: counters.observe(store.log) },
    node,
    log,
    observer: counters.observer,
    metrics: async () => (await metrics()).read(),
  });
  // Loaded at the first question: a server that nobody measures need not carry it.
  let loaded:
    | Promise<{ readonly read: () => Promise<{ readonly contentType: string; readonly text: string }> }>
    | undefined;
  const metrics = () => {
    loaded ??= import('./metrics.ts').then(({ createMetrics }) => ({
      read: createMetrics({
        stats: () => {
          const { streams, topics, subscriptions } = realtime.gauges();
          const busState = { busConnected: bus?.connected ?? true, busDropped: parts.busDropped() };
          return counters.read({ streams, subscriptions, liveTopics: topics, ...busState, appendBatches });
        },
      }),
    }));
    return loaded;
  };
  const stopExtras = mode === 'dev' ? await addDevelopmentExtras(realtime) : () => {};
  const server = createAdaptorServer({ fetch: realtime.fetch }) as Server;
  const silent = watchConnections(server);
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = HEADERS_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  try {
    await Promise.all([realtime.started, listen(server, config)]);
  } catch (error) {
    stopExtras();
    await end(realtime, parts);
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    url: urlOf(server),
    realtime,
    close() {
      stopExtras();
      closing ??= drain(server, realtime, silent)
        .then(() => end(realtime, parts))
        .finally(() => log.flush());
      return closing;
    },
  };
}

/** Stops taking connections, ends streams, and resolves when the last request has been answered. */
async function drain(server: Server, realtime: Realtime, silent: SilentConnections): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  realtime.drain();
  silent.destroy();
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_MS);
  await closed;
  clearTimeout(cut);
  clearInterval(idle);
}

async function end(realtime: Realtime, parts: Parts): Promise<void> {
  await realtime.close();
  await parts.release();
}

function optionsOf(config: Config, mode: Mode): RealtimeOptions {
  const patterns = config.compactTopics.map(compileTopicPattern).filter((pattern) => pattern !== undefined);
  const { requestBytes, eventBytes, topicsPerStream, ...callerLimits } = config.limits;
  return {
    auth: config.auth,
    cors: config.corsOrigins,
    limits: { requestBytes, eventBytes, topicsPerStream },
    callerLimits,
    retention: (topic) => (topic === HOST_METRICS && mode === 'dev' ? SHORT : config.retention),
    ...(patterns.length > 0 && { compact: (topic: string) => patterns.some((covers) => covers(topic)) }),
    trustProxy: config.trustProxy,
    schedule: setImmediate,
  };
}

/** The first page, and this machine's own figures as its first live topic. @returns how to stop them */
async function addDevelopmentExtras(realtime: Realtime): Promise<() => void> {
  const [{ devPage }, { startHostMetrics }] = await Promise.all([
    import('./dev-page/dev-page.ts'),
    import('./host-metrics.ts'),
  ]);
  realtime.route('/', devPage());
  const streams = () => ({ streams: Object.values(realtime.gauges().streams).reduce((sum, count) => sum + count, 0) });
  const metrics = startHostMetrics({ publish: (topic, event) => realtime.publish(topic, event), extra: streams });
  return () => metrics.stop();
}

function listen(server: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const known = {
        EADDRINUSE: `Port ${port} is in use`,
        EACCES: `Port ${port} may not be opened`,
        EADDRNOTAVAIL: `${host} is no address of this machine`,
      };
      const text = error.code === undefined ? undefined : known[error.code as keyof typeof known];
      reject(
        text === undefined
          ? error
          : new StartError('port-in-use', `${text}. Choose another with --port or --host.`, { cause: error }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}

interface SilentConnections {
  /** Cuts the connections on which nothing was ever said: a browser opens such ones ahead, and they would hold up the drain. */
  destroy(): void;
}

function watchConnections(server: Server): SilentConnections {
  const open = new Set<Socket>();
  function forget(this: Socket): void {
    open.delete(this);
  }
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', forget);
  });
  return {
    destroy() {
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
    },
  };
}

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
