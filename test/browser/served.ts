/** A server of this package in this process, for tests that reach it from outside: by a browser, through a proxy. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { readConfig } from '../../src/config/config.ts';
import { startServer } from '../../src/node/server.ts';

export interface Served {
  readonly url: string;
  /** Publishes events and answers what the server did; fails when it is refused. */
  publish(topic: string, events: unknown): Promise<any>;
  /** Publishes numbers as data, in one write. */
  publishNumbers(topic: string, from: number, to: number): Promise<void>;
  /** How many readers it has, of streams and of pages that are being waited for. */
  subscriptions(): number;
  /** A token of this server. */
  token(claims: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export async function serveForTest(mode: 'dev' | 'serve', env: Record<string, string> = {}): Promise<Served> {
  const secret = randomBytes(32).toString('base64');
  const dir = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const settings = {
    HOST: '127.0.0.1',
    PORT: '0',
    DATABASE_URL: 'memory:',
    DATA_DIR: dir,
    AUTH_SECRET: secret,
    LOG_LEVEL: 'silent',
  };
  const result = readConfig({ ...settings, ...env }, {}, mode);
  if (!result.ok) throw new Error(result.mistakes.map(({ name, message }) => `${name} ${message}`).join('; '));
  const server = await startServer(result.config, { mode });
  const token = (claims: Record<string, unknown>): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(secret));
  const owner = await token({ sub: 'owner', sluice: { publish: ['**'], admin: true } });

  async function publish(topic: string, events: unknown): Promise<any> {
    const response = await fetch(`${server.url}/v1/topics/${encodeURIComponent(topic)}/events`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${owner}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(events),
    });
    if (!response.ok) throw new Error(`publish answered ${response.status}: ${await response.text()}`);
    return response.json();
  }

  return {
    url: server.url,
    publish,
    subscriptions: () => server.realtime.gauges().subscriptions,
    token,
    async publishNumbers(topic, from, to) {
      await publish(
        topic,
        numbers(from, to).map((data) => ({ data })),
      );
    },
    async close() {
      await server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
