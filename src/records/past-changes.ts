/** What the log of a collection still tells of one record: its changes, from the newest back or from the oldest on. */
import type { Transaction } from '../store/postgres/database.ts';
import type { Collection } from './collection.ts';
import { joinObject, splitObject, textOfRaw } from './row-text.ts';

/** What of a collection's log is there. Times are in ms since 1970, by the database's clock. */
export interface LogBounds {
  /** `undefined` when nothing was ever logged. */
  readonly id: number | undefined;
  readonly incarnation: number;
  /** The first seq that is kept, and the last; `latest + 1 === oldest` when none is. */
  readonly oldest: number;
  readonly latest: number;
  /** From when on the log tells everything: since the table was captured, unless retention has let go of that. */
  readonly begun: number;
  /** Whether retention has let go of something, or the log was begun anew. */
  readonly lost: boolean;
  readonly now: number;
}

/** A change as the log tells it. Rows are JSON text in wire form, and absent where they were too large to be kept. */
export interface PastChange {
  readonly seq: number;
  readonly time: number;
  readonly type: 'insert' | 'update' | 'delete';
  /** Of the row after; for a delete, of the row that went. Digits. */
  readonly version: string;
  /** Before an update, all but the version is as it was: see {@link rowBefore}. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** JSON text each. */
  readonly changed: string | undefined;
  readonly actor: string | undefined;
}

/** A stretch of the log, `from` included and `to` not. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Seqs looked at, and changes read, in one statement. A change may have two rows of 1 MiB. */
const LOOK = 16_000;
const READ = 10;

const BOUNDS = `
  SELECT t.id, t.incarnation, t.oldest, t.latest, t.updated,
         (SELECT time FROM sluice.batches WHERE topic_id = t.id AND last >= t.oldest ORDER BY last LIMIT 1) AS begun,
         (SELECT ceil(extract(epoch FROM since) * 1000)::bigint FROM sluice.captures WHERE relation = to_regclass($2)) AS since,
         floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
  FROM (SELECT $1::text AS name) asked LEFT JOIN sluice.topics t ON t.name = asked.name`;

const POSITION = `
  SELECT last FROM sluice.batches WHERE topic_id = $1 AND time <= $2::bigint ORDER BY time DESC, last DESC LIMIT 1`;

/** The batches with a seq from $2 up to, but not, $3. */
const BATCHES = `
  b.topic_id = $1::int AND b.last >= $2::bigint AND b.last <= coalesce(
    (SELECT min(last) FROM sluice.batches WHERE topic_id = $1::int AND last >= $3::bigint - 1), $3::bigint)`;

// The key stands in a body as JSON text, so what lacks that text is no event of the record.
const find = (order: 'ASC' | 'DESC') => `
  SELECT b.first + l.n - 1 AS seq, b.time, l.body
  FROM sluice.batches b CROSS JOIN LATERAL unnest(string_to_array(b.bodies, E'\\n')) WITH ORDINALITY l (body, n)
  WHERE ${BATCHES} AND strpos(b.bodies, $4) > 0 AND strpos(l.body, $4) > 0
    AND b.first + l.n - 1 >= $2::bigint AND b.first + l.n - 1 < $3::bigint
  ORDER BY 1 ${order} LIMIT ${READ}`;

// Compaction leaves an empty line where an event was, and takes a batch away when nothing of it is left.
const WHOLE = `
  SELECT coalesce(sum(least(b.last, $3::bigint - 1) - greatest(b.first, $2::bigint) + 1), 0) = $3::bigint - $2::bigint
         AND NOT coalesce(bool_or(strpos(E'\\n' || b.bodies || E'\\n', E'\\n\\n') > 0), false) AS whole
  FROM sluice.batches b WHERE ${BATCHES} AND b.first < $3::bigint`;

interface BoundsRow {
  readonly id: number | null;
  readonly incarnation: number;
  readonly oldest: number;
  readonly latest: number;
  readonly updated: number;
  readonly begun: number | null;
  readonly since: number | null;
  readonly now: number;
}

interface EventRow {
  readonly seq: number;
  readonly time: number;
  readonly body: string;
}

export async function readBounds(transaction: Transaction, { name, sqlName }: Collection): Promise<LogBounds> {
  const [row] = await transaction.query<BoundsRow>(BOUNDS, [name, sqlName]);
  if (row === undefined) throw new Error('a statement that always answers a row did not');
  const { now } = row;
  const since = row.since ?? 0;
  if (row.id === null) return { id: undefined, incarnation: 0, oldest: 1, latest: 0, begun: since, lost: false, now };
  const { id, incarnation, oldest, latest } = row;
  // When nothing is kept, nothing has happened since the last event.
  const begun = oldest === 1 ? since : Math.max(since, row.begun ?? row.updated);
  return { id, incarnation, oldest, latest, begun, lost: oldest > 1 || incarnation > 0, now };
}

/** The seq of the last event at or before a time. */
export async function positionAt(transaction: Transaction, bounds: LogBounds, time: number): Promise<number> {
  if (bounds.id === undefined) return 0;
  const [row] = await transaction.query<{ readonly last: number }>(POSITION, [bounds.id, time]);
  return Math.max(row?.last ?? 0, bounds.oldest - 1);
}

/** The changes of a record in a stretch, in the order asked for. @param key as its events have it */
export async function* changesOf(
  transaction: Transaction,
  { id }: LogBounds,
  key: string,
  { from, to }: Stretch,
  order: 'newest' | 'oldest',
): AsyncGenerator<PastChange, void, void> {
  if (id === undefined) return;
  const newest = order === 'newest';
  const statement = find(newest ? 'DESC' : 'ASC');
  const needle = `"key":${JSON.stringify(key)}`;
  for (let low = from, high = to; low < high; ) {
    const start = newest ? Math.max(low, high - LOOK) : low;
    const end = newest ? high : Math.min(high, low + LOOK);
    const rows = await transaction.query<EventRow>(statement, [id, start, end, needle]);
    for (const row of rows) {
      const change = readChange(row, key);
      if (change !== undefined) yield change;
    }
    const last = rows.length < READ ? undefined : rows.at(-1)?.seq;
    if (newest) high = last ?? start;
    else low = last === undefined ? end : last + 1;
  }
}

/** Whether no event of a stretch was compacted away. */
export async function isWhole(transaction: Transaction, { id }: LogBounds, { from, to }: Stretch): Promise<boolean> {
  if (id === undefined || from >= to) return true;
  const [row] = await transaction.query<{ readonly whole: boolean }>(WHOLE, [id, from, to]);
  return row?.whole === true;
}

/** @returns `undefined` for what is no change of this record */
function readChange({ seq, time, body }: EventRow, key: string): PastChange | undefined {
  const members = splitObject(`{${body}`);
  const type = textOfRaw(members.get('type') ?? '""');
  if (textOfRaw(members.get('key') ?? '""') !== key) return undefined;
  if (type !== 'insert' && type !== 'update' && type !== 'delete') return undefined;
  const data = splitObject(members.get('data') ?? '{}');
  const version = data.get('version') ?? '0';
  const changed = data.get('changed');
  // A row of which a field was too large is not what was there.
  const isWhole = !data.has('omitted');
  const after = isWhole ? data.get('new') : undefined;
  const old = isWhole ? data.get('old') : undefined;
  const before = type === 'update' && old !== undefined ? after && mergeRows(after, old, changed) : old;
  return { seq, time, type, version, before, after, changed, actor: members.get('actor') };
}

/**
 * The row before a change, whole, and its version. An event does not tell the version before an update, but every update that is
 * logged has taken it one further.
 *
 * @returns `undefined` before an insert, and where the row was too large to be kept
 */
export function rowBefore(
  { version: { property } }: Collection,
  { type, version, before }: PastChange,
): { readonly record: string; readonly version: string } | undefined {
  if (before === undefined || type === 'insert') return undefined;
  if (type === 'delete') return { record: before, version };
  const previous = String(BigInt(version) - 1n);
  const members = splitObject(before);
  members.set(property, members.get(property)?.startsWith('"') === true ? `"${previous}"` : previous);
  return { record: joinObject(members), version: previous };
}

/**
 * What a row has become, with the fields that were others. Each value stays the text that it was.
 * @returns `undefined` where one of those was too large
 */
function mergeRows(after: string, old: string, changed = '[]'): string | undefined {
  const members = splitObject(after);
  const before = splitObject(old);
  if ((JSON.parse(changed) as readonly string[]).some((name) => !before.has(name))) return undefined;
  for (const [name, raw] of before) members.set(name, raw);
  return joinObject(members);
}
