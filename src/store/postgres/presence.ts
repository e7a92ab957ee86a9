/**
 * The presence in Postgres (see `drizzle/0005_presence.sql`).
 *
 * Joins and leaves of a moment share statements. First one renews what can be renewed: it needs no topic's lock, and nearly all that
 * comes is of this kind. What is left over changes who is there, and goes through `sluice.write_presence`. They are two transactions,
 * because whoever holds a lease must not wait for a topic (the order of locks is in the migration).
 */
import { PRESENCE_TTL } from '../../protocol/limits.ts';
import { createGather } from '../gather.ts';
import {
  type BoundLease,
  CHANGES_MS,
  type Join,
  type Joined,
  type Leave,
  type Left,
  type PresenceChange,
  type PresenceStore,
  type StoredLease,
} from '../presence-store.ts';
import type { Database } from './database.ts';

/** The most writes of one statement, and that wait. */
const WRITES = 500;
const WAITING = 20_000;
/** Leases looked for in one step of a sweep; topics forgotten, or whose changes are, in one statement. */
const SWEEP = 1000;
const PRUNE = 500;

/** The server's clock, asked once in a statement. */
const CLOCK = 'clock AS MATERIALIZED (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now)';
/** Milliseconds until the first lease ends. */
const DUE = '(SELECT min(expires) FROM sluice.presence_leases) - clock.now AS due';

const RENEW = `
  WITH ${CLOCK}, live AS MATERIALIZED (
    SELECT a.item, l.topic, l.member, a.ttl, a.stream
    FROM jsonb_to_recordset($1::text::jsonb) AS a (
      item int, topic text, member text, owner text, state text, ttl int, stream text
    ) JOIN sluice.presence_leases l ON l.topic = a.topic AND l.member = a.member
    WHERE l.owner = a.owner AND l.expires > (SELECT now FROM clock) AND (a.state IS NULL OR a.state = l.state)
    ORDER BY l.topic, l.member FOR UPDATE OF l
  )
  UPDATE sluice.presence_leases l
  SET seen = clock.now, ttl = coalesce(live.ttl, l.ttl), stream = coalesce(live.stream, l.stream),
      expires = clock.now + coalesce(live.ttl, l.ttl)
  FROM live, clock WHERE l.topic = live.topic AND l.member = live.member
  RETURNING live.item, l.state, l.since, l.seen, l.expires`;

const WRITE = `
  SELECT write_item AS item, outcome, change_revision AS revision, lease_state AS state, lease_since AS since,
         lease_seen AS seen, lease_expires AS expires
  FROM sluice.write_presence($1::text::jsonb)`;

const LIST = `
  WITH ${CLOCK}
  SELECT clock.now, ${DUE}, coalesce(t.revision, 0) AS revision, l.member, l.state, l.since, l.seen, l.expires
  FROM clock LEFT JOIN sluice.presence_topics t ON t.topic = $1 LEFT JOIN sluice.presence_leases l ON l.topic = t.topic
  ORDER BY l.since, l.member`;

// A topic's row and its changes are of one snapshot: what lies between the two revisions is all there.
const CHANGES = `
  WITH ${CLOCK}
  SELECT ${DUE}, coalesce(t.revision, 0) AS newest, coalesce($2::bigint NOT BETWEEN t.floor AND t.revision, $2::bigint <> 0) AS forgotten,
         c.revision, c.change, c.member, c.state, c.since
  FROM clock LEFT JOIN sluice.presence_topics t ON t.topic = $1 LEFT JOIN LATERAL (
    SELECT * FROM sluice.presence_changes WHERE topic = t.topic AND revision > $2::bigint AND $2::bigint >= t.floor
    ORDER BY revision LIMIT $3::int
  ) c ON true
  ORDER BY c.revision`;

const HEADS = `
  WITH ${CLOCK}
  SELECT ${DUE}, t.topic, t.revision
  FROM clock LEFT JOIN sluice.presence_topics t ON t.topic = ANY($1::text[])`;

const KEEP_ALIVE = `
  WITH ${CLOCK}, bound AS MATERIALIZED (
    SELECT topic, member FROM sluice.presence_leases WHERE stream = ANY($1::text[]) ORDER BY topic, member FOR UPDATE
  )
  UPDATE sluice.presence_leases l SET seen = clock.now, expires = clock.now + l.ttl
  FROM bound, clock WHERE l.topic = bound.topic AND l.member = bound.member
  RETURNING l.stream, l.topic, l.member, l.ttl AS "ttlMs"`;

const RELEASE = `
  WITH ${CLOCK}, bound AS MATERIALIZED (
    SELECT l.topic, l.member, e.ago, e.grace
    FROM jsonb_to_recordset($1::text::jsonb) AS e (stream text, ago bigint, grace bigint)
    JOIN sluice.presence_leases l ON l.stream = e.stream ORDER BY l.topic, l.member FOR UPDATE OF l
  )
  UPDATE sluice.presence_leases l SET stream = NULL,
    expires = CASE WHEN l.seen > clock.now - bound.ago THEN l.expires ELSE least(l.expires, clock.now + bound.grace) END
  FROM bound, clock WHERE l.topic = bound.topic AND l.member = bound.member`;

const SWEEP_STEP = `SELECT swept_topic AS topic, swept_revision AS revision FROM sluice.sweep_presence(${SWEEP})`;
const DUE_NOW = `WITH ${CLOCK} SELECT ${DUE} FROM clock`;

// Whoever is at a topic keeps it from being pruned now: the next run comes.
const FORGET_CHANGES = `
  WITH ${CLOCK}, old AS MATERIALIZED (
    SELECT topic, max(revision) AS last FROM sluice.presence_changes
    WHERE time < (SELECT now FROM clock) - ${CHANGES_MS} GROUP BY topic ORDER BY topic LIMIT ${PRUNE}
  ), locked AS MATERIALIZED (
    SELECT t.topic, old.last FROM sluice.presence_topics t JOIN old USING (topic) ORDER BY t.topic FOR UPDATE OF t SKIP LOCKED
  ), forgotten AS (
    DELETE FROM sluice.presence_changes c USING locked WHERE c.topic = locked.topic AND c.revision <= locked.last
  )
  UPDATE sluice.presence_topics t SET floor = greatest(t.floor, locked.last) FROM locked WHERE t.topic = locked.topic
  RETURNING 1`;

const FORGET_TOPICS = `
  DELETE FROM sluice.presence_topics WHERE topic IN (
    SELECT topic FROM sluice.presence_topics WHERE members = 0 AND floor >= revision
    ORDER BY topic LIMIT ${PRUNE} FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

type Write = { readonly kind: 'join'; readonly join: Join } | { readonly kind: 'leave'; readonly leave: Leave };

interface WriteRow extends StoredLease {
  readonly item: number;
  readonly outcome: Joined['kind'] | Left['kind'];
  readonly revision: number | null;
}

/** @param schedule defers a statement until what comes in the same turn of the event loop can go along */
export function createPostgresPresence(database: Database, schedule: (start: () => void) => void): PresenceStore {
  const write = createGather<Write, WriteRow>({
    run: (writes) => writeAll(database, writes),
    // Neither name has control characters.
    keyOf: (each) => `${placeOf(each).topic}\n${placeOf(each).member}`,
    schedule,
    most: WRITES,
    waiting: WAITING,
  });
  return {
    async join(join) {
      const row = await write({ kind: 'join', join });
      if (row.outcome === 'taken' || row.outcome === 'full') return { kind: row.outcome };
      const { state, since, seen, expires } = row;
      const lease = { member: join.member, state, since, seen, expires };
      return { kind: 'joined', lease, revision: row.revision ?? undefined };
    },
    async leave(leave) {
      const { outcome, revision } = await write({ kind: 'leave', leave });
      if (outcome === 'taken') return { kind: 'taken' };
      return outcome === 'left' && revision !== null
        ? { kind: 'left', revision }
        : { kind: 'absent', revision: revision ?? undefined };
    },
    async list(topic) {
      const rows = await database.query<
        { now: number; due: number | null; revision: number } & {
          [Name in keyof StoredLease]: StoredLease[Name] | null;
        }
      >(LIST, [topic]);
      const { now = 0, due = null, revision = 0 } = rows[0] ?? {};
      const leases = rows.flatMap(({ member, state, since, seen, expires }) =>
        member === null || state === null || since === null || seen === null || expires === null
          ? []
          : [{ member, state, since, seen, expires }],
      );
      return { now, revision, due: due ?? undefined, leases };
    },
    async changes(topic, after, limit) {
      const rows = await database.query<
        { due: number | null; newest: number; forgotten: boolean } & {
          [Name in keyof PresenceChange]: PresenceChange[Name] | null;
        }
      >(CHANGES, [topic, after, limit]);
      const { due = null, newest = 0, forgotten = false } = rows[0] ?? {};
      const changes = rows.flatMap(({ revision, change, member, state, since }) =>
        forgotten || revision === null || change === null || member === null || since === null
          ? []
          : [{ revision, change, member, state, since }],
      );
      return { revision: newest, forgotten, due: due ?? undefined, changes };
    },
    async heads(topics) {
      const rows = await database.query<{ due: number | null; topic: string | null; revision: number | null }>(HEADS, [
        topics,
      ]);
      const found = new Map(rows.map(({ topic, revision }) => [topic, revision ?? 0]));
      return { due: rows[0]?.due ?? undefined, revisions: topics.map((topic) => found.get(topic) ?? 0) };
    },
    keepAlive: (streams) => database.query<BoundLease>(KEEP_ALIVE, [streams]),
    async release(streams) {
      const ended = streams.map(({ stream, agoMs, graceMs }) => ({ stream, ago: agoMs, grace: graceMs }));
      await database.query(RELEASE, [JSON.stringify(ended)]);
    },
    async sweep() {
      const heads = new Map<string, number>();
      for (let swept = Number.POSITIVE_INFINITY; swept > 0; ) {
        const rows = await database.query<{ topic: string; revision: number }>(SWEEP_STEP);
        for (const { topic, revision } of rows) heads.set(topic, revision);
        swept = rows.length;
      }
      const [row] = await database.query<{ due: number | null }>(DUE_NOW);
      return { heads: [...heads], due: row?.due ?? undefined };
    },
    async prune() {
      for (const statement of [FORGET_CHANGES, FORGET_TOPICS])
        while ((await database.query(statement)).length === PRUNE);
    },
  };
}

async function writeAll(database: Database, writes: readonly Write[]): Promise<readonly WriteRow[]> {
  const rows = new Map<number, WriteRow>();
  const items = writes.map((write, item) =>
    write.kind === 'leave'
      ? { item, kind: write.kind, ...write.leave }
      : { item, kind: write.kind, ...write.join, ttl: write.join.ttlMs, initial: PRESENCE_TTL.default * 1000 },
  );
  const joins = items.filter(({ kind }) => kind === 'join');
  if (joins.length > 0) {
    for (const row of await database.query<Omit<WriteRow, 'outcome' | 'revision'>>(RENEW, [JSON.stringify(joins)]))
      rows.set(row.item, { ...row, outcome: 'joined', revision: null });
  }
  const left = items.filter(({ item }) => !rows.has(item));
  if (left.length > 0)
    for (const row of await database.query<WriteRow>(WRITE, [JSON.stringify(left)])) rows.set(row.item, row);
  return items.map(({ item }) => {
    const row = rows.get(item);
    if (row === undefined) throw new Error('the write function left out an item');
    return row;
  });
}

function placeOf(write: Write): { readonly topic: string; readonly member: string } {
  return write.kind === 'join' ? write.join : write.leave;
}
