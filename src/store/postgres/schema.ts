/**
 * The tables, all in the schema `sluice`, so that the log can live in a database that has another job.
 *
 * The log is kept by the batch: one row is what one transaction appended to one topic. So a busy topic writes, reads and
 * forgets a row for many events, and its `seq` needs no index entry of its own.
 */
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';

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

/** A type of Postgres that drizzle has no column for; its values come as text. */
const postgresType = (name: string) => customType<{ data: string }>({ dataType: () => name });
const regclass = postgresType('regclass');
const xid8 = postgresType('xid8');
const char = postgresType('"char"');

/** The tables whose changes are captured. */
export const captures = sluice.table('captures', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  /** Kept as its oid, so it follows the table through every renaming. */
  relation: regclass('relation').notNull().unique(),
  /** The columns that tell one row from another. */
  key: text('key').array().notNull(),
  /** From when on every change was captured. */
  since: timestamp('since', { withTimezone: true }).notNull().defaultNow(),
});

/** Of which capture each collection's log tells, and from when on without a hole: of another the log would have to begin anew. */
export const collections = sluice.table('collections', {
  name: text('name').primaryKey(),
  capture: integer('capture').notNull(),
  since: timestamp('since', { withTimezone: true }).notNull(),
});

/** The outbox: what triggers wrote and the relay has not yet moved into the log. */
export const changes = sluice.table('changes', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  /** The writer's transaction: its changes stay together. */
  xact: xid8('xact').notNull().default(sql`pg_current_xact_id()`),
  capture: integer('capture').notNull(),
  /** `I`, `U` or `D`. */
  operation: char('operation').notNull(),
  /** The row before: of an update or a delete. */
  old: jsonb('old'),
  /** The row after: of an insert or an update. */
  new: jsonb('new'),
  actor: text('actor'),
  mutation: text('mutation'),
});

/** One row: which node moves the outbox into the log, and whether it must be woken. */
export const relay = sluice.table(
  'relay',
  {
    id: integer('id').primaryKey().default(1),
    holder: text('holder'),
    epoch: bigint('epoch', { mode: 'number' }).notNull().default(0),
    until: timestamp('until', { withTimezone: true }).notNull().default(sql`'-infinity'`),
    asleep: boolean('asleep').notNull().default(true),
  },
  (table) => [check('relay_one_row', sql`${table.id} = 1`)],
);

/** Answers to writes of records that had an idempotency key. */
export const writes = sluice.table(
  'writes',
  {
    scope: text('scope').notNull(),
    key: text('key').notNull(),
    digest: text('digest').notNull(),
    body: text('body').notNull(),
    time: time('time').notNull(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.key] }), index('writes_time').on(table.time)],
);

/** Who read what, from when to when. */
export const accesses = sluice.table(
  'accesses',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    /** Made up by the writer, so that a write can be repeated. */
    ref: uuid('ref').notNull().unique(),
    node: text('node').notNull(),
    kind: text('kind', { enum: ['stream', 'page', 'list', 'record', 'history', 'lost'] }).notNull(),
    /** The topic or collection. */
    name: text('name'),
    key: text('key'),
    sub: text('sub'),
    role: text('role'),
    address: text('address'),
    request: text('request'),
    since: time('since').notNull(),
    until: time('until'),
    /** Of a loss, how many entries. */
    count: integer('count'),
  },
  (table) => [
    index('accesses_name').on(table.name, table.since),
    index('accesses_sub').on(table.sub, table.since),
    index('accesses_since').on(table.since),
  ],
);

/** Numbers the changes of presence, of all topics: a topic takes its next one under its own lock, so within it they are in order. */
export const presenceRevisions = sluice.sequence('presence_revisions');

/** Topics with presence: the lock under which their members change. Names are migrated to collation "C", as everywhere below. */
export const presenceTopics = sluice.table('presence_topics', {
  topic: text('topic').primaryKey(),
  revision: bigint('revision', { mode: 'number' }).notNull(),
  /** Changes up to here are forgotten. */
  floor: bigint('floor', { mode: 'number' }).notNull(),
  /** Leases there are, those among them that have ended and were not swept. */
  members: integer('members').notNull().default(0),
});

export const presenceLeases = sluice.table(
  'presence_leases',
  {
    topic: text('topic').notNull(),
    member: text('member').notNull(),
    owner: text('owner').notNull(),
    /** JSON, as text: it is handed on as it came. */
    state: text('state').notNull(),
    /** The stream that keeps it alive. */
    stream: text('stream'),
    /** Milliseconds. */
    ttl: integer('ttl').notNull(),
    since: time('since').notNull(),
    seen: time('seen').notNull(),
    expires: time('expires').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.topic, table.member] }),
    index('presence_leases_expires').on(table.expires),
    index('presence_leases_stream').on(table.stream).where(sql`${table.stream} IS NOT NULL`),
  ],
);

/** What became of members lately, so that every node can tell it in order. */
export const presenceChanges = sluice.table(
  'presence_changes',
  {
    topic: text('topic').notNull(),
    revision: bigint('revision', { mode: 'number' }).notNull(),
    change: text('change', { enum: ['join', 'update', 'leave'] }).notNull(),
    member: text('member').notNull(),
    /** Absent of a leave. */
    state: text('state'),
    since: time('since').notNull(),
    time: time('time').notNull(),
  },
  (table) => [primaryKey({ columns: [table.topic, table.revision] }), index('presence_changes_time').on(table.time)],
);

/** The server's clock in milliseconds: one clock for all nodes. */
export const nowMs = sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`;
