/** Two nodes with collections on one real database, and the database itself. */
import type postgres from 'postgres';
import { createPostgresBus } from '../../src/bus/postgres.ts';
import { addCapture } from '../../src/capture/add-capture.ts';
import { liveCollections } from '../../src/http/live-collections.ts';
import { createRealtime, type Realtime } from '../../src/http/realtime.ts';
import { createListener, type Listener } from '../../src/node/listener.ts';
import type { Collection } from '../../src/records/collection.ts';
import { installRowSecurity } from '../../src/records/install-row-security.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { SECRET, signHs256 } from '../auth/issuer.ts';
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts';

export interface System {
  /** Speaks to the database beside the server. */
  readonly sql: postgres.Sql;
  /** The database's address. */
  readonly url: string;
  /** Errors that a node logged. */
  readonly faults: unknown[];
  port(node: number): number;
  token(claims: Readonly<Record<string, unknown>>): Promise<string>;
  /** Ends the connections of the nodes' stores, whatever they are at. */
  cutConnections(): Promise<void>;
  /** Ends a node without a word to the others, and begins another in its place. */
  restartNode(node: number): Promise<void>;
  close(): Promise<void>;
}

export interface SystemOptions {
  /** Statements that make the tables. */
  readonly schema: string;
  readonly captured: readonly string[];
  readonly collections: readonly Collection[];
}

interface Node {
  readonly realtime: Realtime;
  readonly listener: Listener;
  /** Known also when it does not listen any more. */
  readonly port: number;
}

export function signToken(claims: Readonly<Record<string, unknown>>): Promise<string> {
  return signHs256({ ...claims, sluice: { subscribe: ['**'], publish: ['**'] } });
}

/** Ends the connections of stores, whatever they are at. */
export async function cutConnections({ sql }: TestDatabase): Promise<void> {
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'sluice' AND datname = current_database()`;
}

/** Makes a database with tables that are captured. */
export async function openTables({ schema, captured }: Omit<SystemOptions, 'collections'>): Promise<TestDatabase> {
  const database = await createDatabase();
  const setup = await connectPostgres({ url: database.url });
  await createPostgresStore(setup);
  const installed = await installRowSecurity(setup);
  if (!installed.ok) throw new Error(installed.reason);
  await database.sql.unsafe(schema);
  for (const table of captured) {
    const added = await addCapture(setup, table);
    if (!added.ok) throw new Error(JSON.stringify(added.findings));
  }
  await setup.close();
  return database;
}

export async function openSystem({ schema, captured, collections }: SystemOptions): Promise<System> {
  const database = await openTables({ schema, captured });
  const faults: unknown[] = [];
  const log = {
    isLevelEnabled: () => false,
    debug() {},
    info() {},
    warn() {},
    error: (fields: object, text: string) => void faults.push({ text, fields }),
  };
  const openNode = async (): Promise<Node> => {
    const store = await createPostgresStore(await connectPostgres({ url: database.url }), { schedule: setImmediate });
    const node = crypto.randomUUID().slice(0, 8);
    const bus = createPostgresBus({ database: database.url, node });
    const realtime = createRealtime({
      store,
      bus,
      node,
      log,
      auth: { secret: SECRET },
      callerLimits: { streamsPerAddress: undefined, writesPerAddress: undefined, writesPerSubject: undefined },
      collections: liveCollections(collections, { listen: (hint) => bus.captureHints(hint) }),
      schedule: setImmediate,
    });
    await realtime.started;
    const listener = createListener(realtime.fetch);
    await listener.listen({ port: 0, host: '127.0.0.1' });
    return { realtime, listener, port: Number(new URL(listener.url).port) };
  };
  const nodes = [await openNode(), await openNode()];
  return {
    sql: database.sql,
    url: database.url,
    faults,
    port: (node) => nodes[node]!.port,
    token: signToken,
    cutConnections: () => cutConnections(database),
    async restartNode(index) {
      const old = nodes[index]!;
      old.listener.destroy();
      await old.realtime.close();
      nodes[index] = await openNode();
    },
    async close() {
      for (const { realtime, listener } of nodes) {
        listener.destroy();
        await realtime.close();
      }
      await database.drop();
    },
  };
}
