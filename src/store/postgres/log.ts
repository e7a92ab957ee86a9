/**
 * The log in Postgres: one row a batch, appended in groups (see `group-commit.ts` and `drizzle/0001_append.sql`).
 *
 * The statements are plain SQL, because they are the hot path and lean on Postgres's own features; the tables are declared in
 * `schema.ts`.
 */
import { type Cursor, epochOf } from '../../protocol/cursor.ts';
import type { GroupCommit } from '../group-commit.ts';
import { PAGE_BYTES, readHeld } from '../log-page.ts';
import type {
  Append,
  Appended,
  LogPage,
  LogRange,
  LogStore,
  Retention,
  StoredBatch,
  TopicQuery,
  TopicStatus,
} from '../store.ts';
import { compactTopic } from './compact-topic.ts';
import type { Database, Transaction } from './database.ts';
import { dropTopic } from './drop-topic.ts';
import type { LogIdentity } from './log-identity.ts';
import { pruneLog } from './prune-log.ts';

/** The most that a page reads, in batches; and the stretch of the log that it looks at, in events. */
const PAGE_BATCHES = 1000;
const PAGE_STRETCH = 16_000;

interface RangeRow {
  readonly latest: number;
  readonly oldest: number;
  readonly incarnation: number;
}

const APPEND = `
  SELECT item, outcome, topic_incarnation, first_seq, event_count, event_time
  FROM sluice.append($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[])`;

// The running sums stop the page after the batch that fills it; what is not returned is never detoasted. The stretch bounds
// what even the worst plan can look at, such as that of a table whose statistics are not there yet.
const READ = `
  SELECT t.latest, t.oldest, t.incarnation, b.first, b.time, b.bodies
  FROM sluice.topics t LEFT JOIN LATERAL (
    SELECT min(last) AS start FROM sluice.batches WHERE topic_id = t.id AND last > greatest($2::bigint, t.oldest - 1)
  ) s ON true LEFT JOIN LATERAL (
    SELECT first, last, time, bodies FROM (
      SELECT first, last, time, bodies,
             sum(bytes) OVER run - bytes AS bytes_before, sum(last - first + 1) OVER run - (last - first + 1) AS events_before
      FROM (
        SELECT first, last, time, bytes, bodies FROM sluice.batches
        WHERE topic_id = t.id AND last >= s.start AND last < s.start + ${PAGE_STRETCH} ORDER BY last LIMIT $3
      ) page WINDOW run AS (ORDER BY last)
    ) running WHERE bytes_before < $4 AND events_before < $5
  ) b ON true
  WHERE t.name = $1 ORDER BY b.last`;

const RANGES = 'SELECT name, latest, oldest, incarnation FROM sluice.topics WHERE name = ANY($1::text[])';

const SEEK = `
  SELECT t.latest, t.oldest, t.incarnation,
         (SELECT first FROM sluice.batches WHERE topic_id = t.id AND time >= $2::bigint ORDER BY time, last LIMIT 1) AS first
  FROM sluice.topics t WHERE t.name = $1`;

const STATUS = `
  SELECT name, latest, oldest, incarnation, bytes, updated FROM sluice.topics
  WHERE updated > 0 AND name > $1 AND starts_with(name, $2) ORDER BY name LIMIT $3`;

const STATUS_ONE =
  'SELECT name, latest, oldest, incarnation, bytes, updated FROM sluice.topics WHERE updated > 0 AND name = $1';

/** Commits appends in one call of `sluice.append`. Those without a key are merged by topic first. */
export function commitAppends(
  database: Database,
  identity: LogIdentity,
  appends: readonly Append[],
): Promise<readonly Appended[]> {
  return appendTo(database, (topic, incarnation) => epochOf(identity.id, incarnation, topic), appends);
}

/**
 * Appends in one call of `sluice.append`, as {@link commitAppends}, but in a transaction of the caller's, if that is what asks.
 * @param epochOf the epoch of a topic's log, of its incarnation
 */
export async function appendTo(
  transaction: Transaction,
  epochOf: (topic: string, incarnation: number) => string,
  appends: readonly Append[],
): Promise<readonly Appended[]> {
  const items: {
    topic: string;
    count: number;
    bodies: string;
    scope: string | null;
    key: string | null;
    digest: string | null;
  }[] = [];
  const open = new Map<string, number>();
  // Where each append went: the item, and how many of the item's events come before it.
  const places = appends.map(({ topic, bodies, idempotency }) => {
    const text = bodies.join('\n');
    const index = idempotency === undefined ? open.get(topic) : undefined;
    const item = index === undefined ? undefined : items[index];
    if (index !== undefined && item !== undefined) {
      const offset = item.count;
      item.count += bodies.length;
      item.bodies += `\n${text}`;
      return { index, offset };
    }
    const added = items.push({
      topic,
      count: bodies.length,
      bodies: text,
      scope: idempotency?.scope ?? null,
      key: idempotency?.key ?? null,
      digest: idempotency?.digest ?? null,
    });
    // An append with a key closes the topic's open item, so that what comes later also stands later.
    if (idempotency === undefined) open.set(topic, added - 1);
    else open.delete(topic);
    return { index: added - 1, offset: 0 };
  });
  const rows = await transaction.query<AppendRow>(APPEND, [
    items.map(({ topic }) => topic),
    items.map(({ count }) => count),
    items.map(({ bodies }) => bodies),
    items.map(({ scope }) => scope),
    items.map(({ key }) => key),
    items.map(({ digest }) => digest),
  ]);
  const byItem = new Map(rows.map((row) => [row.item, row]));
  return appends.map(({ topic, bodies }, index) => {
    const place = places[index];
    const row = place && byItem.get(place.index + 1);
    if (place === undefined || row === undefined) throw new Error('the append function left out an item');
    if (row.outcome === 'mismatch') return { kind: 'mismatch' };
    return {
      kind: row.outcome,
      epoch: epochOf(topic, row.topic_incarnation),
      first: row.first_seq + place.offset,
      count: bodies.length,
      time: row.event_time,
    };
  });
}

interface AppendRow {
  readonly item: number;
  readonly outcome: 'appended' | 'replayed' | 'mismatch';
  readonly topic_incarnation: number;
  readonly first_seq: number;
  readonly event_count: number;
  readonly event_time: number;
}

export class PostgresLog implements LogStore {
  readonly #database: Database;
  readonly #identity: LogIdentity;
  readonly #groupCommit: GroupCommit;

  constructor(database: Database, identity: LogIdentity, groupCommit: GroupCommit) {
    this.#database = database;
    this.#identity = identity;
    this.#groupCommit = groupCommit;
  }

  append(append: Append): Promise<Appended> {
    return this.#groupCommit.append(append);
  }

  read(topic: string, after: number, limit: number): Promise<LogPage> {
    return readHeld((position) => this.#page(topic, position, limit), after);
  }

  async #page(topic: string, after: number, limit: number): Promise<LogPage> {
    type Row = RangeRow & (StoredRow | { readonly first: null });
    const rows = await this.#database.query<Row>(READ, [
      topic,
      after,
      Math.min(limit, PAGE_BATCHES),
      PAGE_BYTES,
      limit,
    ]);
    const batches: StoredBatch[] = [];
    for (const row of rows)
      if (row.first !== null) batches.push({ first: row.first, time: row.time, bodies: row.bodies.split('\n') });
    return { ...this.#range(topic, rows[0]), batches };
  }

  async ranges(topics: readonly string[]): Promise<readonly LogRange[]> {
    // Every node asks for ranges about once a second: often enough to notice that another one renewed the log's identity.
    const [rows] = await Promise.all([
      this.#database.query<RangeRow & { readonly name: string }>(RANGES, [topics]),
      this.#identity.refresh(),
    ]);
    const byName = new Map(rows.map((row) => [row.name, row]));
    return topics.map((topic) => this.#range(topic, byName.get(topic)));
  }

  async seek(topic: string, time: number): Promise<Cursor> {
    const [row] = await this.#database.query<RangeRow & { readonly first: number | null }>(SEEK, [topic, time]);
    const { epoch, latest } = this.#range(topic, row);
    return { epoch, seq: row?.first == null ? latest : Math.max(row.first, row.oldest) - 1 };
  }

  async topics({ prefix = '', after = '', limit }: TopicQuery) {
    const rows = await this.#database.query<StatusRow>(STATUS, [after, prefix, limit]);
    return rows.map((row) => this.#status(row));
  }

  async topic(name: string): Promise<TopicStatus | undefined> {
    const [row] = await this.#database.query<StatusRow>(STATUS_ONE, [name]);
    return row && this.#status(row);
  }

  prune(retention: (topic: string) => Retention, now: number): Promise<number> {
    return pruneLog(this.#database, retention, now);
  }

  compact(topic: string, upTo: number): Promise<number> {
    return compactTopic(this.#database, topic, upTo);
  }

  drop(topic: string): Promise<void> {
    return dropTopic(this.#database, topic);
  }

  #range(topic: string, row: RangeRow | undefined): LogRange {
    return {
      epoch: epochOf(this.#identity.id, row?.incarnation ?? 0, topic),
      oldest: row?.oldest ?? 1,
      latest: row?.latest ?? 0,
    };
  }

  #status(row: StatusRow): TopicStatus {
    return { topic: row.name, ...this.#range(row.name, row), bytes: row.bytes, updated: row.updated };
  }
}

interface StoredRow {
  readonly first: number;
  readonly time: number;
  readonly bodies: string;
}

interface StatusRow extends RangeRow {
  readonly name: string;
  readonly bytes: number;
  readonly updated: number;
}
