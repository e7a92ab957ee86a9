/** The SQLite of a Durable Object, as far as the store needs it (Cloudflare's "SQLite-backed Durable Object Storage", `ctx.storage`). */

/** What a column holds. Text must be well-formed; integers beyond 2^53 - 1 are not used. */
export type SqlValue = string | number | ArrayBuffer | null;

export type SqlRow = Record<string, SqlValue>;

/** Rows, read as they are asked for. To be read at once: what is written meanwhile may show in it. */
export interface SqlCursor<Row extends SqlRow> extends Iterable<Row> {
  toArray(): Row[];
}

/** `ctx.storage`. All of it is synchronous; answers of the object leave it only after what it has written is safe. */
export interface SqlStorage {
  readonly sql: { exec<Row extends SqlRow>(statement: string, ...values: SqlValue[]): SqlCursor<Row> };
  /** All that `work` writes, or nothing of it when it throws. Not to be nested. */
  transactionSync<Result>(work: () => Result): Result;
}
