/** The harness of a store in a database: two stores on it are two nodes, each with its own group commit. */
import type { Database } from '../../src/store/postgres/database.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { StoreHarness } from './contract.ts';

/** No topic of the API is so long; in Postgres it fails late, when its name is to be indexed and the keys are claimed. */
const POISON = Array.from({ length: 3000 }, (_, index) => (index * index * 7919).toString(36)).join('');

export interface DatabaseSource {
  /** Opens the database for each node; the same one twice where it belongs to one process. */
  open(): Promise<readonly [Database, Database]>;
  other(): Promise<Database>;
  close(): Promise<void>;
}

export async function createPostgresHarness(source: DatabaseSource): Promise<StoreHarness> {
  let databases = await source.open();
  const nodeOn = (database: Database) => createPostgresStore(database, { schedule: setImmediate });
  const nodesOn = async ([first, second]: readonly [Database, Database]): Promise<readonly [Store, Store]> =>
    Promise.all([nodeOn(first), nodeOn(second)]);
  let nodes = await nodesOn(databases);
  const closeAll = async () => {
    for (const database of new Set(databases)) await database.close();
  };
  return {
    get nodes() {
      return nodes;
    },
    async reopen() {
      await closeAll();
      databases = await source.open();
      nodes = await nodesOn(databases);
    },
    other: async () => createPostgresStore(await source.other()),
    async age(ms) {
      // The store asks its database for the time, so it is the rows that are moved.
      const [database] = databases;
      await database.query('UPDATE sluice.batches SET time = time - $1::bigint', [ms]);
      await database.query('UPDATE sluice.topics SET updated = updated - $1::bigint WHERE updated > 0', [ms]);
      await database.query('UPDATE sluice.idempotency SET time = time - $1::bigint', [ms]);
      await database.query(
        'UPDATE sluice.presence_leases SET since = since - $1::bigint, seen = seen - $1::bigint, expires = expires - $1::bigint',
        [ms],
      );
      await database.query('UPDATE sluice.presence_changes SET time = time - $1::bigint', [ms]);
    },
    now: Date.now,
    poison: POISON,
    async close() {
      await closeAll();
      await source.close();
    },
  };
}
