/** The tables of a store in a Durable Object, and how older ones become these. */
import type { SqlStorage } from './sql.ts';

/**
 * Each step once, in order; a step that was released is never changed. Tables whose key is all that they are looked up by have no `rowid`,
 * because every index is another row to be written and paid for.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE topics (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, incarnation INTEGER NOT NULL DEFAULT 0, latest INTEGER NOT NULL DEFAULT 0,
    oldest INTEGER NOT NULL DEFAULT 1, bytes INTEGER NOT NULL DEFAULT 0, updated INTEGER NOT NULL DEFAULT 0
  );
  -- "bodies" are joined by line breaks, of which they have none themselves.
  CREATE TABLE batches (
    topic INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, time INTEGER NOT NULL, bytes INTEGER NOT NULL,
    bodies TEXT NOT NULL, PRIMARY KEY (topic, first)
  ) WITHOUT ROWID;
  CREATE TABLE idempotency (
    scope TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, topic INTEGER NOT NULL, incarnation INTEGER NOT NULL,
    first INTEGER NOT NULL, count INTEGER NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (scope, key)
  ) WITHOUT ROWID;
  CREATE TABLE revocations (position INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL);
  CREATE TABLE accesses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, node TEXT NOT NULL, kind TEXT NOT NULL, name TEXT, key TEXT,
    sub TEXT, role TEXT, address TEXT, request TEXT, since INTEGER NOT NULL, until INTEGER, count INTEGER
  );
  CREATE INDEX accesses_since ON accesses (since DESC, id DESC);
  CREATE TABLE presence_topics (
    name TEXT PRIMARY KEY, revision INTEGER NOT NULL, floor INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE presence_leases (
    topic TEXT NOT NULL, member TEXT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, joined INTEGER NOT NULL,
    seen INTEGER NOT NULL, expires INTEGER NOT NULL, ttl INTEGER NOT NULL, stream TEXT, PRIMARY KEY (topic, member)
  ) WITHOUT ROWID;
  CREATE INDEX presence_leases_expires ON presence_leases (expires);
  CREATE INDEX presence_leases_stream ON presence_leases (stream) WHERE stream IS NOT NULL;
  CREATE TABLE presence_changes (
    topic TEXT NOT NULL, revision INTEGER NOT NULL, change TEXT NOT NULL, member TEXT NOT NULL, state TEXT, since INTEGER NOT NULL,
    time INTEGER NOT NULL, PRIMARY KEY (topic, revision)
  ) WITHOUT ROWID;`,
];

/** Brings the tables up to date. Called when the object begins, before anything else. */
export function migrate(storage: SqlStorage): void {
  const { sql } = storage;
  storage.transactionSync(() => {
    sql.exec('CREATE TABLE IF NOT EXISTS schema (step INTEGER PRIMARY KEY)');
    const [{ done } = { done: 0 }] = sql.exec<{ done: number }>('SELECT COUNT(*) AS done FROM schema').toArray();
    for (const [index, step] of STEPS.entries()) {
      if (index < done) continue;
      sql.exec(step);
      sql.exec('INSERT INTO schema (step) VALUES (?)', index + 1);
    }
  });
}
