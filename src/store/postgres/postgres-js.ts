/** A Postgres server, over postgres.js. */
import type postgres from 'postgres';
import { classify, type Database, within } from './database.ts';
import { MIGRATION_CONFIG } from './migrations.ts';
import { openPostgresPool, type PoolOptions } from './postgres-pool.ts';
import { isUpToDate } from './schema-version.ts';

export type PostgresOptions = Pick<PoolOptions, 'url' | 'connections' | 'timeoutMs' | 'socket'>;

/** Keeps two nodes that start together from migrating together: an advisory lock of this number, held by a transaction. */
const MIGRATION_LOCK = 7_589_230_214;

/** Milliseconds that bringing the schema up to date may take: another node may be at it, and this one waits. */
const MIGRATION_MS = 30_000;

/**
 * Connects and brings the schema up to date.
 *
 * @throws StoreUnavailable when the database cannot be reached
 */
export async function connectPostgres(options: PostgresOptions): Promise<Database> {
  const pool = openPostgresPool(options);
  try {
    if (!(await isUpToDate(pool.query))) await within(MIGRATION_MS, migrateOnce(pool.sql()));
  } catch (error) {
    await pool.close();
    throw classify(error);
  }
  return pool;
}

async function migrateOnce(sql: postgres.Sql): Promise<void> {
  const { drizzle } = await import('drizzle-orm/postgres-js');
  const { migrate } = await import('drizzle-orm/postgres-js/migrator');
  await sql.begin(async (transaction) => {
    await transaction`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle(sql), MIGRATION_CONFIG);
  });
}
