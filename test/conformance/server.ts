/** Runs the suite against a server of this package, started in this process with a configuration of its own. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { startServer } from '../../src/node/server.ts';
import { conformance } from './suite.ts';

/** An origin whose pages may call. */
export const ORIGIN = 'https://app.example';
export const AUDIENCE = 'conformance';
export const ISSUER = 'https://id.example';
export const KEPT = 4000;
export const LIMITS = { writesPerSecond: 30, streams: 40 };

export interface Subject {
  readonly name: string;
  /** Where its logs are, as configuration; asked for once, before the first start. */
  readonly database: () => Promise<Readonly<Record<string, string>>>;
  /** Whether its logs outlive the server. */
  readonly durable: boolean;
  /** Whether several nodes can share it. */
  readonly shared?: boolean;
  /** Admits pages of this origin; without it, answers take the way that has no CORS in it. */
  readonly origin?: string;
  /** Clears away what `database` made. */
  readonly clear?: () => Promise<void>;
}

/** Registers the whole suite for one kind of database. */
export function conformanceOf(subject: Subject): void {
  const secret = randomBytes(32).toString('base64');
  let env: Record<string, string> = {};
  /** The node under test, and where the database can be shared, another. */
  let running: readonly Awaited<ReturnType<typeof startServer>>[] = [];

  async function start(): Promise<void> {
    const result = readConfig(env, {}, 'serve');
    if (!result.ok) throw new Error(result.mistakes.map(({ name, message }) => `${name} ${message}`).join('; '));
    const one = await startServer(result.config, { mode: 'serve' });
    running = subject.shared ? [one, await startServer(result.config, { mode: 'serve' })] : [one];
  }

  async function stop(): Promise<void> {
    const servers = running;
    running = [];
    await Promise.all(servers.map((server) => server.close()));
  }

  const urlOf = (node: number) => () => running[node]?.url ?? 'http://127.0.0.1:1';

  beforeAll(async () => {
    env = {
      HOST: '127.0.0.1',
      PORT: '0',
      AUTH_SECRET: secret,
      LOG_LEVEL: 'silent',
      ...(subject.origin && { CORS_ORIGINS: subject.origin }),
      AUTH_AUDIENCE: AUDIENCE,
      AUTH_ISSUER: ISSUER,
      RETENTION_EVENTS: String(KEPT),
      // Half the time that is waited for it would be that until the next run.
      RETENTION_INTERVAL: '10s',
      LIMIT_WRITES_PER_SUBJECT: String(LIMITS.writesPerSecond),
      LIMIT_STREAMS_PER_SUBJECT: String(LIMITS.streams),
      LIMIT_WRITES_PER_ADDRESS: 'none',
      LIMIT_STREAMS_PER_ADDRESS: 'none',
      ...(await subject.database()),
    };
    await start();
  });

  afterAll(async () => {
    await stop();
    await subject.clear?.();
  });

  conformance({
    name: subject.name,
    url: urlOf(0),
    secret: () => secret,
    features: {
      ...(subject.origin && { origin: subject.origin }),
      audience: AUDIENCE,
      issuer: ISSUER,
      ...(subject.shared && { otherUrl: urlOf(1) }),
      limits: LIMITS,
      retention: { events: KEPT, withinMs: 90_000 },
      restart: {
        run: async () => {
          await stop();
          await start();
        },
        durable: subject.durable,
      },
      stop,
    },
  });
}
