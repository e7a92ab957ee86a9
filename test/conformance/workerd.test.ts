/** The suite against the Worker and its objects in workerd, as they are deployed to Cloudflare. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type Deployed, deploy } from '../cloudflare/deployed.ts';
import { AUDIENCE, ISSUER, KEPT, LIMITS, ORIGIN } from './server.ts';
import { conformance } from './suite.ts';

const secret = randomBytes(32).toString('base64');
let dir: string;
let running: Deployed | undefined;

async function start(): Promise<void> {
  running = await deploy({
    dir,
    settings: {
      AUTH_SECRET: secret,
      CORS_ORIGINS: ORIGIN,
      AUTH_AUDIENCE: AUDIENCE,
      AUTH_ISSUER: ISSUER,
      RETENTION_EVENTS: String(KEPT),
      LIMIT_WRITES_PER_SUBJECT: String(LIMITS.writesPerSecond),
      LIMIT_STREAMS_PER_SUBJECT: String(LIMITS.streams),
      LIMIT_WRITES_PER_ADDRESS: 'none',
      LIMIT_STREAMS_PER_ADDRESS: 'none',
      AUDIT: 'all',
    },
  });
}

async function stop(): Promise<void> {
  await running?.close();
  running = undefined;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-workerd-'));
  await start();
});

afterAll(async () => {
  await stop();
  await rm(dir, { recursive: true, force: true });
});

conformance({
  name: 'workerd',
  url: () => running?.url ?? 'http://127.0.0.1:1',
  secret: () => secret,
  features: {
    origin: ORIGIN,
    audience: AUDIENCE,
    issuer: ISSUER,
    limits: LIMITS,
    // The runtime sees that a reader is gone when it writes to it, which is with the next heartbeat at the latest.
    goneMs: 40_000,
    edge: true,
    retention: { events: KEPT, withinMs: 90_000 },
    restart: {
      run: async () => {
        await stop();
        await start();
      },
      durable: true,
    },
  },
});
