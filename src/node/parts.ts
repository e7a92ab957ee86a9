/** The parts of a server that the configuration chooses: where events are kept, and how nodes wake each other. */
import { join } from 'node:path';
import type { Bus } from '../bus/bus.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../http/log.ts';
import { createMemoryStore } from '../store/memory.ts';
import type { Database } from '../store/postgres/database.ts';
import { createPostgresStore, type PostgresStoreOptions } from '../store/postgres/postgres-store.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import { type DataDirLock, lockDataDir } from './data-dir-lock.ts';
import { createDatabaseSocket } from './database-socket.ts';
import { StartError } from './start-error.ts';

export interface Parts {
  readonly store: Store;
  /** Absent where no other node can share the store. */
  readonly bus: Bus | undefined;
  /** Has `hint` called when anybody writes to a captured table. Absent where only this process can. */
  readonly captureHints?: ((hint: () => void) => () => void) | undefined;
  /** How many signals the bus dropped so far. */
  readonly busDropped: () => number;
  /** Gives back what the process holds beyond store and bus, when both are closed. */
  release(): Promise<void>;
}

export interface PartsOptions extends Pick<PostgresStoreOptions, 'onCommit'> {
  /** This node's name. */
  readonly node: string;
  readonly log: Log;
}

/** @throws StartError when the database or the data directory cannot be had */
export async function openParts({ database }: Config, options: PartsOptions): Promise<Parts> {
  switch (database.kind) {
    case 'memory':
      return { store: createMemoryStore(), bus: undefined, busDropped: () => 0, release: async () => {} };
    case 'embedded':
      return openEmbedded(database.dir, options);
    case 'postgres':
      return connect(database.url, options);
  }
}

// Each database's driver is loaded only where it is used: together they take longer to load than a server to start.

async function openEmbedded(dir: string, options: PartsOptions): Promise<Parts> {
  const lock = await lockDirectory(dir, options.log);
  try {
    const { openPglite } = await import('../store/postgres/pglite.ts');
    const store = await openStore(await openPglite(join(dir, 'postgres')), options);
    return { store, bus: undefined, busDropped: () => 0, release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw new StartError('database', `The embedded database in ${dir} cannot be opened: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function lockDirectory(dir: string, log: Log): Promise<Extract<DataDirLock, { ok: true }>> {
  const onFault = (error: Error) => log.warn({ error }, 'the lock on the data directory cannot be kept fresh');
  const lock = await lockDataDir(dir, { onFault }).catch((error: unknown) => {
    throw new StartError('database', `The data directory ${dir} cannot be used: ${reasonOf(error)}`, { cause: error });
  });
  if (lock.ok) return lock;
  throw new StartError('data-dir-locked', `The data directory ${dir} is in use by process ${lock.pid}.`);
}

async function connect(url: string, options: PartsOptions): Promise<Parts> {
  try {
    const [{ connectPostgres }, { createPostgresBus }] = await Promise.all([
      import('../store/postgres/postgres-js.ts'),
      import('../bus/postgres.ts'),
    ]);
    const store = await openStore(await connectPostgres({ url, socket: createDatabaseSocket() }), options);
    const { node, log } = options;
    const bus = createPostgresBus({ database: url, node, log, socket: createDatabaseSocket() });
    const captureHints = (hint: () => void) => bus.captureHints(hint);
    return { store, bus, captureHints, busDropped: () => bus.counts.dropped, release: async () => {} };
  } catch (error) {
    throw new StartError('database', `The database cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

/** A store over the database, which is closed when it cannot be one. */
async function openStore(database: Database, { onCommit }: PartsOptions): Promise<Store> {
  try {
    return await createPostgresStore(database, { schedule: setImmediate, ...(onCommit && { onCommit }) });
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Why, in words that hold no part of a connection string: drivers name host and database, never the password. */
function reasonOf(error: unknown): string {
  const cause = error instanceof StoreUnavailable && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
