/**
 * The tables, all in the schema `sluice`, so that the log can live in a database that has another job.
 *
 * The log is kept by the batch: one row is what one transaction appended to one topic. So a busy topic writes, reads and
 * forgets a row for many events, and its `seq` needs no index entry of its own.
 */
import { sql } from 'drizzle-orm';
import { bigint, bigserial, index, integer, pgSchema, primaryKey, text } from 'drizzle-orm/pg-core';

export const sluice = pgSchema('sluice');

const seq = (name: string) => bigint(name, { mode: 'number' });
/** Milliseconds since 1970. */
const time = (name: string) => bigint(name, { mode: 'number' });

/** Facts about the whole store: its identity and its secrets. */
export const meta = sluice.table('meta', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
});

export const topics = sluice.table('topics', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  /** Migrated to collation "C": ordered by code point, whatever the database's own collation. */
  name: text('name').notNull().unique(),
  /** How often the topic was dropped. */
  incarnation: integer('incarnation').notNull().default(0),
  latest: seq('latest').notNull().default(0),
  oldest: seq('oldest').notNull().default(1),
  bytes: bigint('bytes', { mode: 'number' }).notNull().default(0),
  updated: time('updated').notNull().default(0),
});

export const batches = sluice.table(
  'batches',
  {
    topicId: integer('topic_id').notNull(),
    last: seq('last').notNull(),
    first: seq('first').notNull(),
    time: time('time').notNull(),
    bytes: integer('bytes').notNull(),
    /** Event bodies, a line each; an empty line where compaction took one away. */
    bodies: text('bodies').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.topicId, table.last] }),
    index('batches_time').on(table.topicId, table.time),
  ],
);

export const idempotency = sluice.table(
  'idempotency',
  {
    scope: text('scope').notNull(),
    key: text('key').notNull(),
    digest: text('digest').notNull(),
    topic: text('topic').notNull(),
    incarnation: integer('incarnation').notNull().default(0),
    first: seq('first').notNull().default(0),
    count: integer('count').notNull(),
    time: time('time').notNull(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.key] }), index('idempotency_time').on(table.time)],
);

export const revocations = sluice.table('revocations', {
  position: bigserial('position', { mode: 'number' }).primaryKey(),
  kind: text('kind', { enum: ['sub', 'jti'] }).notNull(),
  value: text('value').notNull(),
  at: time('at').notNull(),
});

/** The server's clock in milliseconds: one clock for all nodes. */
export const nowMs = sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`;
