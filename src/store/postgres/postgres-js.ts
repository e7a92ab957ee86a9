/** A Postgres server, over postgres.js. */
import postgres from 'postgres';
import { classify, type Database, type Parameter, within } from './database.ts';
import { isUpToDate, MIGRATION_CONFIG } from './migrations.ts';

export interface PostgresOptions {
  readonly url: string;
  /** Connections at most. */
  readonly connections?: number;
  /** Milliseconds that a statement may take before its caller is told that the database is unavailable. */
  readonly timeoutMs?: number;
  /** Dials, in place of postgres.js: see its option `socket`. */
  readonly socket?: ((address: never) => unknown) | undefined;
}

/** Keeps two nodes that start together from migrating together: an advisory lock of this number, held by a transaction. */
const MIGRATION_LOCK = 7_589_230_214;

/**
 * Connects and brings the schema up to date.
 * @throws StoreUnavailable when the database cannot be reached
 */
export async function connectPostgres({
  url,
  connections = 10,
  timeoutMs = 5000,
  socket,
}: PostgresOptions): Promise<Database> {
  const sql = postgres(url, {
    // postgres.js takes this option but does not declare it.
    ...(socket && ({ socket } as object)),
    max: connections,
    connect_timeout: 3,
    // A database that comes back is found within a second, however long it was away.
    backoff: (attempt: number) => Math.min(0.1 * 2 ** attempt, 1),
    idle_timeout: 60,
    onnotice: () => undefined,
    connection: { application_name: 'sluice' },
    // int8 holds seqs and milliseconds, all below 2^53.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
  async function query<Row>(text: string, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
    try {
      const rows = sql.unsafe(text, parameters as postgres.ParameterOrJSON<never>[], { prepare: true });
      return (await within(timeoutMs, rows)) as unknown as readonly Row[];
    } catch (error) {
      throw classify(error);
    }
  }
  try {
    if (!(await isUpToDate(query))) await migrateOnce(sql);
  } catch (error) {
    await sql.end({ timeout: 1 });
    throw classify(error);
  }
  return { lanes: 4, query, close: () => sql.end({ timeout: 2 }) };
}

async function migrateOnce(sql: postgres.Sql): Promise<void> {
  const { drizzle } = await import('drizzle-orm/postgres-js');
  const { migrate } = await import('drizzle-orm/postgres-js/migrator');
  await sql.begin(async (transaction) => {
    await transaction`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle(sql), MIGRATION_CONFIG);
  });
}
