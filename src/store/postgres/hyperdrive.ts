/**
 * A Postgres server behind Cloudflare's Hyperdrive, over postgres.js on the sockets of Workers.
 *
 * Hyperdrive pools by transaction: the next one may run on another connection. So nothing here belongs to a session: no prepared
 * statement outlives its question, and what is set is set with `LOCAL`. The schema is brought up to date from elsewhere (the command line),
 * since migrations are files, and need a lock.
 */
import type { Database } from './database.ts';
import { openPostgresPool } from './postgres-pool.ts';
import { isUpToDate } from './schema-version.ts';

/** A Worker may have six connections under way at once, and other things need some. */
const CONNECTIONS = 4;
/** Idle connections are closed after so many seconds: an open one keeps an object awake. */
const IDLE_SECONDS = 5;

/**
 * Makes no pool before the first statement: most requests of a Worker with collections ask none.
 * @param url the binding's `connectionString`
 */
export function openHyperdrive(url: string): Database {
  let pool: Database | undefined;
  const opened = () => {
    pool ??= openPostgresPool({ url, connections: CONNECTIONS, idleSeconds: IDLE_SECONDS, prepare: false });
    return pool;
  };
  return {
    lanes: CONNECTIONS,
    query: (...asked) => opened().query(...asked),
    transaction: (...asked) => opened().transaction(...asked),
    close: async () => pool?.close(),
  };
}

/** @throws Error when migrations are missing; StoreUnavailable */
export async function requireSchema({ query }: Pick<Database, 'query'>): Promise<void> {
  if (await isUpToDate(query)) return;
  throw new Error(
    'The schema of the database is older than this Worker. Bring it up to date with: sluice capture list',
  );
}
