/** What is measured: Sluice, and what it is measured against. Every start is a new process. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { SignJWT } from 'jose';
import { childrenOf, pause, type Running, start } from './processes.ts';

/** A server that listens on 127.0.0.1. */
export interface Server {
  readonly name: string;
  readonly port: number;
  /** The process whose cost is counted. */
  readonly pid: number;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  streamPath(topic: string): string;
  publishPath(topic: string): string;
  /** A stream is live once this text has arrived on it. */
  readonly ready: string;
  stop(): Promise<void>;
}

/** Something that can be started and measured. */
export interface Target {
  readonly name: string;
  start(): Promise<Server>;
}

/** How long a server may take to come up, in milliseconds. */
const START_MS = 30_000;
/** How long one question whether it is up may take, in milliseconds: whoever else holds the port may never answer. */
const ASK_MS = 5000;

/** A server of `bench/baselines`. */
export function baseline(name: string, file: string, env: Readonly<Record<string, string>> = {}): Target {
  return {
    name,
    async start() {
      const child = start({ name, file: `bench/baselines/${file}`, ipc: true, env });
      const { port } = await child.hear<{ readonly port: number }>();
      const path = (): string => '/events';
      const { pid, stop } = child;
      return { name, port, pid, headers: {}, streamPath: path, publishPath: path, ready: ':ok\n', stop };
    },
  };
}

export const nodeHttp = baseline('node:http', 'node-http.ts');
export const betterSse = baseline('better-sse', 'better-sse.ts');
export const streamSse = baseline('streamSSE', 'stream-sse.ts');

const topicPath = (topic: string): string => `/v1/topics/${encodeURIComponent(topic)}/events`;

/** The settings of every Sluice server. No limit on a caller: one caller is all the load. An empty one takes its default. */
export const SETTINGS: Readonly<Record<string, string>> = {
  HOST: '127.0.0.1',
  DATABASE_URL: '',
  AUTH_JWKS_URL: '',
  AUTH_AUDIENCE: '',
  AUTH_ISSUER: '',
  COLLECTIONS: '',
  COMPACT_TOPICS: '',
  RETENTION_AGE: '',
  RETENTION_EVENTS: '',
  RETENTION_BYTES: '',
  LIMIT_STREAMS_PER_SUBJECT: 'none',
  LIMIT_STREAMS_PER_ADDRESS: 'none',
  LIMIT_WRITES_PER_SUBJECT: 'none',
  LIMIT_WRITES_PER_ADDRESS: 'none',
  LOG_LEVEL: 'error',
};

/** The program, with the flags that its first line and the scripts of `package.json` give it. */
export const SLUICE = { name: 'Sluice', file: 'src/cli/main.ts', flags: ['--max-semi-space-size=8'] };

/** A Sluice server that knows several callers. */
export interface SluiceServer extends Server {
  /** A token of a caller with these claims. */
  token(claims: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Sluice as it is run in production, `sluice serve`, over the database at `url`. */
export function sluice(url: string): Target {
  return sluiceWith(url, {});
}

/** The same, with more settings. */
export function sluiceWith(
  url: string,
  env: Readonly<Record<string, string>>,
): { readonly name: string; start(): Promise<SluiceServer> } {
  const secret = randomBytes(32).toString('hex');
  return {
    name: 'Sluice',
    async start() {
      const port = await freePort();
      const child = start({
        ...SLUICE,
        args: ['serve'],
        env: { ...SETTINGS, PORT: `${port}`, DATABASE_URL: url, AUTH_SECRET: secret, ...env },
      });
      await answering(child, port, '/readyz');
      const token = (claims: Readonly<Record<string, unknown>>): Promise<string> => signed(secret, claims);
      const headers = { Authorization: `Bearer ${await token(ADMIN)}` };
      return { ...sluiceServer(port, child), headers, token };
    },
  };
}

/** The routes of a Sluice server, whoever started it. */
export function sluiceServer(port: number, child: Running): Server {
  const { pid, stop } = child;
  const ready = 'event: $ready';
  return { name: 'Sluice', port, pid, headers: {}, streamPath: topicPath, publishPath: topicPath, ready, stop };
}

/** May do everything, so that no rate limit is measured. */
const ADMIN = { sub: 'bench', sluice: { subscribe: ['**'], publish: ['**'], admin: true } };

function signed(secret: string, claims: Readonly<Record<string, unknown>>): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('6h')
    .sign(new TextEncoder().encode(secret));
}

/** Waits until a GET is answered with 200. */
export async function answering(child: Running, port: number, path: string, everyMs = 25): Promise<void> {
  const deadline = Date.now() + START_MS;
  let alive = true;
  void child.ended.then(() => {
    alive = false;
  });
  while (alive && Date.now() < deadline) {
    // Nothing listens yet: ask again.
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(ASK_MS) }).catch(
      () => undefined,
    );
    await response?.body?.cancel();
    if (response?.status === 200) return;
    await pause(everyMs);
  }
  child.kill();
  throw new Error(`${child.name} did not come up. ${child.errors()}`);
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The pid of a server's first child: where a program works in a process of its own. */
export async function firstChild(pid: number): Promise<number> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline) {
    const [child] = childrenOf(pid);
    if (child !== undefined) return child;
    await pause(10);
  }
  throw new Error('the server has started no worker');
}
