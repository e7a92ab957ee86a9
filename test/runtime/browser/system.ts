/** The server of these tests: a process to be killed, a database with a live collection, and a line that can be cut. */
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import type postgres from 'postgres';
import { addCapture } from '../../../src/capture/add-capture.ts';
import { connectPostgres } from '../../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import { createDatabase } from '../../support/postgres-database.ts';
import { freePort, type ServerProcess, startServerProcess } from '../../support/server-process.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { SCHEMA } from './definition.ts';

const SECRET = 'a shared secret of more than thirty-two bytes';

/** An event of the log, as a page of the server has it. */
export interface LoggedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: any;
  readonly key?: string;
  readonly mutation?: string;
}

export interface System {
  /** Where the server is for browsers: behind the line. */
  readonly url: string;
  /** Where it is for the test itself. */
  readonly direct: string;
  readonly line: TcpProxy;
  /** Speaks to the database beside the server. */
  readonly sql: postgres.Sql;
  token(sub: string): Promise<string>;
  /** Ends the server with no time for anything. */
  kill(): Promise<void>;
  start(): Promise<void>;
  running(): boolean;
  /** Publishes as another client does. */
  publish(topic: string, data: readonly unknown[]): Promise<void>;
  /** The whole log of a topic. */
  log(topic: string): Promise<readonly LoggedEvent[]>;
  /** The open streams. */
  streams(): Promise<readonly { readonly stream: string; readonly format: string; readonly sub: string }[]>;
  close(): Promise<void>;
}

/** @param origin of the pages that may call the server */
export async function openSystem(origin: string): Promise<System> {
  const database = await createDatabase();
  const setup = await connectPostgres({ url: database.url });
  await createPostgresStore(setup);
  await database.sql.unsafe(SCHEMA);
  const added = await addCapture(setup, 'items');
  if (!added.ok) throw new Error(JSON.stringify(added.findings));
  await setup.close();

  const port = await freePort();
  const direct = `http://127.0.0.1:${port}`;
  const line = await startTcpProxy({ host: '127.0.0.1', port });
  let server: ServerProcess | undefined;

  async function start(): Promise<void> {
    server ??= await startServerProcess('serve', {
      PORT: String(port),
      DATABASE_URL: database.url,
      AUTH_SECRET: SECRET,
      CORS_ORIGINS: origin,
      COLLECTIONS: fileURLToPath(new URL('./definition.ts', import.meta.url)),
      LIMIT_WRITES_PER_ADDRESS: 'none',
      LIMIT_WRITES_PER_SUBJECT: 'none',
    });
  }

  const token = (sub: string, admin = false): Promise<string> =>
    new SignJWT({ sub, sluice: { subscribe: ['**'], publish: ['**'], presence: ['**'], admin } })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuedAt()
      .setExpirationTime('2h')
      .sign(new TextEncoder().encode(SECRET));
  const root = await token('root', true);

  async function ask(path: string, init: RequestInit = {}): Promise<any> {
    const headers = { Authorization: `Bearer ${root}`, 'Content-Type': 'application/json' };
    const response = await fetch(direct + path, { headers, ...init });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  }

  const eventsPath = (topic: string): string => `/v1/topics/${encodeURIComponent(topic)}/events`;
  await start();
  return {
    url: `http://127.0.0.1:${line.port}`,
    direct,
    line,
    sql: database.sql,
    token,
    start,
    running: () => server !== undefined,
    async kill() {
      const killed = server;
      server = undefined;
      await killed?.kill();
    },
    async publish(topic, data) {
      const body = JSON.stringify(data.map((each) => ({ data: each })));
      await ask(eventsPath(topic), { method: 'POST', body });
    },
    async log(topic) {
      const events: LoggedEvent[] = [];
      for (let after = 'earliest'; ; ) {
        const page = await ask(`${eventsPath(topic)}?format=json&limit=1000&after=${after}`);
        events.push(...page.events);
        if (!page.more) return events;
        after = page.cursor;
      }
    },
    async streams() {
      return (await ask('/v1/streams')).streams;
    },
    async close() {
      await line.close();
      await server?.kill();
      await database.drop();
    },
  };
}
