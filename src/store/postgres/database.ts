/**
 * What the store needs of a database, and its two carriers: any Postgres over postgres.js, and PGlite in this process.
 *
 * Every failure to reach the database, or to get an answer in time, is a {@link StoreUnavailable}; any other error is a
 * fault. Serialisation failures and deadlocks are not expected (see the lock order in `drizzle/0001_append.sql`), but a
 * database may be set to be stricter than we are, so callers of `query` may see them as unavailable too.
 */
import { StoreUnavailable } from '../store.ts';

/** A value that both drivers can bind. */
export type Parameter = string | number | null | readonly (string | null)[] | readonly number[];

/** How a statement is run. */
export interface QueryOptions {
  /**
   * Whether the text is one of many that differ with what was asked for. Such a statement is not kept prepared: what a caller can
   * vary must not fill the memory of driver and server.
   */
  readonly varies?: boolean;
}

/** A transaction that is open. It ends when the work that it was opened for does: by a commit, or if that throws, a rollback. */
export interface Transaction {
  /** Runs one statement, after those before it. */
  query<Row>(text: string, parameters?: readonly Parameter[], options?: QueryOptions): Promise<readonly Row[]>;
}

export interface TransactionOptions {
  /** `read committed` unless told. */
  readonly isolation?: 'read committed' | 'repeatable read';
}

export interface Database {
  /** Runs one statement. int8 comes as number, text as string. */
  query<Row>(text: string, parameters?: readonly Parameter[], options?: QueryOptions): Promise<readonly Row[]>;
  /**
   * Runs `work` in one transaction on one connection. `work` must ask only the transaction, never the database itself: an embedded
   * database has one connection, and would wait for itself.
   * @throws what `work` throws, after the rollback; StoreUnavailable
   */
  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result>;
  /** Reclaims the room of rows that are gone, where the database does not do so by itself. Called after every prune. */
  tidy?(): Promise<void>;
  /** How many connections have ended so far, where there are any: what is behind the next one may be another database. */
  losses?(): number;
  /** How many transactions make sense at once. */
  readonly lanes: number;
  close(): Promise<void>;
}

/** SQLSTATE classes and codes that say «not now» (PostgreSQL, appendix A). */
const UNAVAILABLE_STATES = [
  /^08/, // connection exception
  /^28/, // a password that is being changed
  /^3D000$/, // no such database: one that is being put back
  /^40001$/,
  /^40P01$/,
  /^53/, // out of connections, memory or disk
  /^55000$/, // the database does not accept connections
  /^55P03$/,
  /^57014$/,
  /^57P0[1-5]$/, // shutting down, starting up, dropped
  /^25006$/, // read-only: a standby
];

/** Names of connection failures, as Node and postgres.js give them. */
const UNAVAILABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
]);

/** Turns a driver's error into {@link StoreUnavailable} when the database is away; otherwise gives it back as it is. */
export function classify(error: unknown): unknown {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (error instanceof StoreUnavailable) return error;
  if (UNAVAILABLE_CODES.has(code) || UNAVAILABLE_STATES.some((state) => state.test(code))) {
    return new StoreUnavailable('the database cannot be reached', { cause: error });
  }
  return error;
}

/** Rejects with {@link StoreUnavailable} when `work` takes longer than `milliseconds`; the work itself goes on. */
export async function within<Value>(milliseconds: number, work: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new StoreUnavailable('the database did not answer in time')), milliseconds);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
