/**
 * The log in the SQLite of a Durable Object: one row a batch. Everything is synchronous inside, so an append is over before the next begins;
 * and the object's answers leave it only when what it has written is safe, so an event is kept before anybody hears of it.
 *
 * Rows written are what costs most. So the row of a topic is not written with each append: it says how far the log had come some appends ago,
 * and the batches after that say the rest.
 */
import { type Cursor, epochOf } from '../../protocol/cursor.ts';
import type { EventBody } from '../../protocol/event.ts';
import { IDEMPOTENCY_MS } from '../../protocol/limits.ts';
import { byteLength, byteLengthOf } from '../byte-length.ts';
import { compactBatches } from '../compact.ts';
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
import type { SqlStorage } from './sql.ts';

/** A row may hold 2 MB: larger appends are several rows of one moment. */
const ROW_BYTES = 1024 * 1024;
/** After how many appends a topic's row is written again: so many batches are looked at when the object begins. */
const SAVE_EVERY = 64;
/** The most topics that are remembered. An object has one. */
const REMEMBERED = 100;
/** The most topics that are looked at in one step of a prune. */
const PRUNE_TOPICS = 100;

type TopicRow = {
  readonly id: number;
  readonly name: string;
  readonly incarnation: number;
  readonly latest: number;
  readonly oldest: number;
  readonly bytes: number;
  readonly updated: number;
};

/** A topic as it is, whatever its row says. */
type Topic = TopicRow & {
  /** Batches that came since the row was written. */
  readonly unsaved: number;
};

type BatchRow = { readonly first: number; readonly last: number; readonly time: number; readonly bodies: string };

export interface SqliteLogOptions {
  readonly storage: SqlStorage;
  /** The identity of the log: random, and kept with it. */
  readonly id: string;
  /** ms since 1970 */
  readonly clock: () => number;
}

export class SqliteLog implements LogStore {
  readonly #storage: SqlStorage;
  readonly #sql: SqlStorage['sql'];
  readonly #id: string;
  readonly #clock: () => number;
  readonly #known = new Map<string, Topic>();

  constructor({ storage, id, clock }: SqliteLogOptions) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.#id = id;
    this.#clock = clock;
  }

  async append(append: Append): Promise<Appended> {
    try {
      return this.#storage.transactionSync(() => this.#append(append));
    } catch (error) {
      // Nothing of it has happened.
      this.#known.clear();
      throw error;
    }
  }

  read(topic: string, after: number, limit: number): Promise<LogPage> {
    return readHeld((position) => this.#page(topic, position, limit), after);
  }

  async ranges(topics: readonly string[]): Promise<readonly LogRange[]> {
    return topics.map((topic) => this.#range(topic, this.#topic(topic)));
  }

  async seek(name: string, time: number): Promise<Cursor> {
    const topic = this.#topic(name);
    const { epoch, oldest, latest } = this.#range(name, topic);
    const found = topic && this.#firstAt(topic, time);
    return { epoch, seq: found === undefined ? latest : Math.max(found, oldest) - 1 };
  }

  async topics({ prefix = '', after = '', limit }: TopicQuery): Promise<readonly TopicStatus[]> {
    // Text compares by its bytes in UTF-8, which is the order of code points.
    const rows = this.#sql.exec<TopicRow>(
      `SELECT * FROM topics WHERE updated > 0 AND name > ? AND substr(name, 1, length(?)) = ? ORDER BY name LIMIT ?`,
      after,
      prefix,
      prefix,
      limit,
    );
    return rows.toArray().map((row) => this.#status(this.#whole(row)));
  }

  async topic(name: string): Promise<TopicStatus | undefined> {
    const topic = this.#topic(name);
    return topic && topic.updated > 0 ? this.#status(topic) : undefined;
  }

  async prune(retention: (topic: string) => Retention, now: number): Promise<number> {
    let forgotten = 0;
    for (let after = ''; ; ) {
      const topics = this.#sql
        .exec<TopicRow>('SELECT * FROM topics WHERE name > ? ORDER BY name LIMIT ?', after, PRUNE_TOPICS)
        .toArray();
      const last = topics.at(-1);
      if (last === undefined) break;
      after = last.name;
      for (const topic of topics)
        forgotten += this.#storage.transactionSync(() => this.#prune(this.#whole(topic), retention(topic.name), now));
      // Appends come in between the steps.
      await Promise.resolve();
    }
    this.#sql.exec('DELETE FROM idempotency WHERE time <= ?', now - IDEMPOTENCY_MS);
    return forgotten;
  }

  async compact(name: string, upTo: number): Promise<number> {
    return this.#storage.transactionSync(() => {
      const topic = this.#topic(name);
      if (topic === undefined) return 0;
      this.#save(topic);
      const compaction = compactBatches(upTo);
      let freed = 0;
      // One batch at a time: a row that is changed while it is read might come again.
      for (let below = topic.latest + 1; ; ) {
        const [row] = this.#sql
          .exec<BatchRow & { readonly bytes: number }>(
            'SELECT first, last, time, bytes, bodies FROM batches WHERE topic = ? AND first < ? ORDER BY first DESC LIMIT 1',
            topic.id,
            below,
          )
          .toArray();
        if (row === undefined) break;
        below = row.first;
        const bodies = compaction.apply(batchOf(row));
        if (bodies === undefined) continue;
        const bytes = byteLengthOf(bodies);
        freed += row.bytes - bytes;
        if (bodies.every((body) => body === ''))
          this.#sql.exec('DELETE FROM batches WHERE topic = ? AND first = ?', topic.id, row.first);
        else
          this.#sql.exec(
            'UPDATE batches SET bodies = ?, bytes = ? WHERE topic = ? AND first = ?',
            bodies.join('\n'),
            bytes,
            topic.id,
            row.first,
          );
      }
      this.#sql.exec('UPDATE topics SET bytes = bytes - ? WHERE id = ?', freed, topic.id);
      this.#known.delete(name);
      return compaction.removed;
    });
  }

  async drop(name: string): Promise<void> {
    this.#storage.transactionSync(() => {
      const topic = this.#topic(name);
      if (topic === undefined) return;
      this.#known.delete(name);
      this.#sql.exec('DELETE FROM batches WHERE topic = ?', topic.id);
      this.#sql.exec(
        'UPDATE topics SET incarnation = incarnation + 1, latest = 0, oldest = 1, bytes = 0, updated = 0 WHERE id = ?',
        topic.id,
      );
    });
  }

  #append({ topic: name, bodies, idempotency }: Append): Appended {
    const now = this.#clock();
    if (idempotency !== undefined) {
      const [known] = this.#sql
        .exec<{ digest: string; name: string; incarnation: number; first: number; count: number; time: number }>(
          `SELECT digest, name, i.incarnation, first, count, time FROM idempotency i JOIN topics t ON t.id = i.topic
           WHERE scope = ? AND key = ?`,
          idempotency.scope,
          idempotency.key,
        )
        .toArray();
      if (known !== undefined && known.time > now - IDEMPOTENCY_MS) {
        const { digest, first, count, time, incarnation } = known;
        if (digest !== idempotency.digest) return { kind: 'mismatch' };
        return { kind: 'replayed', epoch: epochOf(this.#id, incarnation, known.name), first, count, time };
      }
    }
    const topic = this.#topic(name) ?? this.#create(name);
    const first = topic.latest + 1;
    const time = Math.max(now, topic.updated);
    let next = first;
    let bytes = 0;
    const rows = rowsOf(bodies);
    for (const row of rows) {
      const last = next + row.bodies.length - 1;
      this.#sql.exec(
        'INSERT INTO batches (topic, first, last, time, bytes, bodies) VALUES (?, ?, ?, ?, ?, ?)',
        topic.id,
        next,
        last,
        time,
        row.bytes,
        row.bodies.join('\n'),
      );
      next = last + 1;
      bytes += row.bytes;
    }
    const unsaved = topic.unsaved + rows.length;
    const grown = { ...topic, latest: next - 1, bytes: topic.bytes + bytes, updated: time, unsaved };
    // One that has nothing yet is not listed before its row says so.
    if (topic.updated === 0 || unsaved >= SAVE_EVERY) this.#save(grown);
    else this.#remember(grown);
    if (idempotency !== undefined)
      this.#sql.exec(
        `INSERT OR REPLACE INTO idempotency (scope, key, digest, topic, incarnation, first, count, time)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        idempotency.scope,
        idempotency.key,
        idempotency.digest,
        topic.id,
        topic.incarnation,
        first,
        bodies.length,
        time,
      );
    const { epoch } = this.#range(name, topic);
    return { kind: 'appended', epoch, first, count: bodies.length, time };
  }

  #page(name: string, after: number, limit: number): LogPage {
    const topic = this.#topic(name);
    const range = this.#range(name, topic);
    const batches: StoredBatch[] = [];
    if (topic === undefined) return { ...range, batches };
    const from = Math.max(after + 1, range.oldest);
    let events = 0;
    let bytes = 0;
    // The batch that holds the first of them may begin before it.
    const rows = this.#sql.exec<BatchRow & { readonly bytes: number }>(
      `SELECT first, last, time, bytes, bodies FROM batches
       WHERE topic = ?1 AND first >= COALESCE((SELECT MAX(first) FROM batches WHERE topic = ?1 AND first <= ?2), 0) ORDER BY first`,
      topic.id,
      from,
    );
    for (const row of rows) {
      if (row.last < from) continue;
      batches.push(batchOf(row));
      events += row.last - row.first + 1;
      bytes += row.bytes;
      if (events >= limit || bytes >= PAGE_BYTES) break;
    }
    return { ...range, batches };
  }

  /** The seq of the first batch at or after a time, by halves: times grow with the seq. */
  #firstAt({ id, latest }: Topic, time: number): number | undefined {
    let found: number | undefined;
    let [low, high] = [0, latest + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [batch] = this.#sql
        .exec<{ first: number; time: number }>(
          'SELECT first, time FROM batches WHERE topic = ? AND first >= ? ORDER BY first LIMIT 1',
          id,
          middle,
        )
        .toArray();
      if (batch === undefined || batch.time >= time) {
        if (batch !== undefined) found = batch.first;
        high = middle;
      } else low = batch.first + 1;
    }
    return found;
  }

  #prune(topic: Topic, { ageMs, events, bytes }: Retention, now: number): number {
    let { oldest } = topic;
    if (events !== undefined) oldest = Math.max(oldest, topic.latest - events + 1);
    if (bytes !== undefined) oldest = Math.max(oldest, this.#oldestWithin(topic, bytes));
    if (ageMs !== undefined) oldest = Math.max(oldest, this.#firstAt(topic, now - ageMs) ?? topic.latest + 1);
    if (oldest <= topic.oldest) return 0;
    this.#save(topic);
    const [{ freed } = { freed: 0 }] = this.#sql
      .exec<{ freed: number }>(
        'SELECT COALESCE(SUM(bytes), 0) AS freed FROM batches WHERE topic = ? AND first < ? AND last < ?',
        topic.id,
        oldest,
        oldest,
      )
      .toArray();
    this.#sql.exec('DELETE FROM batches WHERE topic = ? AND first < ? AND last < ?', topic.id, oldest, oldest);
    this.#sql.exec('UPDATE topics SET oldest = ?, bytes = bytes - ? WHERE id = ?', oldest, freed, topic.id);
    this.#known.delete(topic.name);
    return oldest - topic.oldest;
  }

  /** The seq of the oldest event to keep so that the bodies fit; the newest batch always stays. */
  #oldestWithin({ id, bytes, oldest }: Topic, limit: number): number {
    if (bytes <= limit) return oldest;
    let kept = 0;
    let from: number | undefined;
    const rows = this.#sql.exec<{ first: number; bytes: number }>(
      'SELECT first, bytes FROM batches WHERE topic = ? ORDER BY first DESC',
      id,
    );
    for (const row of rows) {
      kept += row.bytes;
      if (from !== undefined && kept > limit) break;
      from = row.first;
    }
    return Math.max(oldest, from ?? oldest);
  }

  #topic(name: string): Topic | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const [row] = this.#sql.exec<TopicRow>('SELECT * FROM topics WHERE name = ?', name).toArray();
    return row && this.#remember(this.#whole(row));
  }

  /** What a row says, and the batches after it. */
  #whole(row: TopicRow): Topic {
    const [since] = this.#sql
      .exec<{ count: number; latest: number | null; bytes: number | null; updated: number | null }>(
        'SELECT COUNT(*) AS count, MAX(last) AS latest, SUM(bytes) AS bytes, MAX(time) AS updated FROM batches WHERE topic = ? AND first > ?',
        row.id,
        row.latest,
      )
      .toArray();
    return {
      ...row,
      latest: since?.latest ?? row.latest,
      bytes: row.bytes + (since?.bytes ?? 0),
      updated: since?.updated ?? row.updated,
      unsaved: since?.count ?? 0,
    };
  }

  #remember(topic: Topic): Topic {
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(topic.name, topic);
    return topic;
  }

  /** Has the row say how far the topic has come. */
  #save(topic: Topic): void {
    const { id, latest, bytes, updated } = topic;
    this.#sql.exec('UPDATE topics SET latest = ?, bytes = ?, updated = ? WHERE id = ?', latest, bytes, updated, id);
    this.#remember({ ...topic, unsaved: 0 });
  }

  #create(name: string): Topic {
    this.#sql.exec('INSERT INTO topics (name) VALUES (?)', name);
    const topic = this.#topic(name);
    if (topic === undefined) throw new Error('a topic that was made is not there');
    return topic;
  }

  #range(name: string, topic: Topic | undefined): LogRange {
    return {
      epoch: epochOf(this.#id, topic?.incarnation ?? 0, name),
      oldest: topic?.oldest ?? 1,
      latest: topic?.latest ?? 0,
    };
  }

  #status(topic: Topic): TopicStatus {
    const { name, bytes, updated } = topic;
    return { topic: name, ...this.#range(name, topic), bytes, updated };
  }
}

function batchOf({ first, time, bodies }: BatchRow): StoredBatch {
  return { first, time, bodies: bodies.split('\n') };
}

/** An append as it is stored: in rows that hold no more than a row can. */
function rowsOf(bodies: readonly EventBody[]): { readonly bodies: EventBody[]; bytes: number }[] {
  const rows: { readonly bodies: EventBody[]; bytes: number }[] = [];
  for (const body of bodies) {
    const size = byteLength(body);
    const row = rows.at(-1);
    if (row === undefined || row.bytes + row.bodies.length + size > ROW_BYTES)
      rows.push({ bodies: [body], bytes: size });
    else {
      row.bodies.push(body);
      row.bytes += size;
    }
  }
  return rows;
}
