/**
 * The memory store: everything until the process ends. For tests, for trying out, and for topics whose history nobody needs.
 *
 * Limits: a topic keeps at most `topicBytes` of bodies (the oldest batches go first, also between prunes: an eighth at a time,
 * so that a full topic does not pay for every append) and the store at most `idempotencyKeys` keys (the oldest go first).
 */
import { type Cursor, epochOf } from '../protocol/cursor.ts';
import { IDEMPOTENCY_MS } from '../protocol/limits.ts';
import { byteLengthOf } from './byte-length.ts';
import { compactBatches } from './compact.ts';
import { idempotencyName } from './idempotency.ts';
import { PAGE_BYTES, readHeld } from './log-page.ts';
import { createMemoryAudit } from './memory-audit.ts';
import { createMemoryPresence } from './memory-presence.ts';
import type {
  Append,
  Appended,
  LogPage,
  LogRange,
  LogStore,
  Retention,
  Revocation,
  RevocationStore,
  Store,
  StoredBatch,
  TopicQuery,
  TopicStatus,
} from './store.ts';

export interface MemoryStoreOptions {
  readonly clock?: () => number;
  readonly topicBytes?: number;
  readonly idempotencyKeys?: number;
  /** The most entries of the audit: 10,000 unless told. */
  readonly accesses?: number;
}

interface Batch extends StoredBatch {
  readonly last: number;
  readonly bytes: number;
}

interface Topic {
  epoch: string;
  incarnation: number;
  latest: number;
  oldest: number;
  bytes: number;
  updated: number;
  batches: Batch[];
}

type Remembered = Exclude<Appended, { readonly kind: 'mismatch' }> & { readonly digest: string };

export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  const secrets = new Map<string, Uint8Array>();
  return {
    log: new MemoryLog(options),
    revocations: createMemoryRevocations(),
    audit: createMemoryAudit(options.accesses ?? 10_000),
    presence: createMemoryPresence(options.clock ?? Date.now),
    async secret(name) {
      const secret = secrets.get(name) ?? crypto.getRandomValues(new Uint8Array(32));
      secrets.set(name, secret);
      return secret;
    },
    async check() {},
    async close() {},
  };
}

class MemoryLog implements LogStore {
  readonly #id = crypto.randomUUID();
  readonly #clock: () => number;
  readonly #topicBytes: number;
  readonly #maxKeys: number;
  readonly #topics = new Map<string, Topic>();
  /** In order of age, because a Map keeps the order of insertion. */
  readonly #keys = new Map<string, Remembered>();

  constructor({ clock = Date.now, topicBytes = 64 * 1024 * 1024, idempotencyKeys = 100_000 }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#topicBytes = topicBytes;
    this.#maxKeys = idempotencyKeys;
  }

  async append({ topic: name, bodies, idempotency }: Append): Promise<Appended> {
    const now = this.#clock();
    const key = idempotency && idempotencyName(idempotency);
    const known = key === undefined ? undefined : this.#keys.get(key);
    if (known !== undefined && idempotency !== undefined && known.time > now - IDEMPOTENCY_MS) {
      if (known.digest !== idempotency.digest) return { kind: 'mismatch' };
      return { kind: 'replayed', epoch: known.epoch, first: known.first, count: known.count, time: known.time };
    }
    const topic = this.#topic(name);
    const first = topic.latest + 1;
    const time = Math.max(now, topic.updated);
    const bytes = byteLengthOf(bodies);
    topic.latest += bodies.length;
    topic.updated = time;
    topic.bytes += bytes;
    topic.batches.push({ first, last: topic.latest, time, bodies, bytes });
    if (topic.bytes > this.#topicBytes) forget(topic, oldestWithin(topic, this.#topicBytes * (7 / 8)));
    const appended = { kind: 'appended', epoch: topic.epoch, first, count: bodies.length, time } as const;
    if (key !== undefined && idempotency !== undefined)
      this.#remember(key, { ...appended, digest: idempotency.digest });
    return appended;
  }

  read(name: string, after: number, limit: number): Promise<LogPage> {
    return readHeld((position) => this.#page(name, position, limit), after);
  }

  async ranges(names: readonly string[]): Promise<readonly LogRange[]> {
    return names.map((name) => this.#range(name));
  }

  async seek(name: string, time: number): Promise<Cursor> {
    const { epoch, oldest, latest } = this.#range(name);
    const batches = this.#topics.get(name)?.batches ?? [];
    const found = batches[lowest(batches.length, (index) => (batches[index]?.time ?? 0) >= time)];
    return { epoch, seq: found === undefined ? latest : Math.max(found.first, oldest) - 1 };
  }

  async topics({ prefix = '', after = '', limit }: TopicQuery) {
    return [...this.#topics]
      .filter(([name, topic]) => topic.updated > 0 && name.startsWith(prefix) && compareCodePoints(name, after) > 0)
      .sort(([a], [b]) => compareCodePoints(a, b))
      .slice(0, limit)
      .map(([name]) => this.#status(name));
  }

  async topic(name: string): Promise<TopicStatus | undefined> {
    return (this.#topics.get(name)?.updated ?? 0) > 0 ? this.#status(name) : undefined;
  }

  async prune(retention: (topic: string) => Retention, now: number): Promise<number> {
    let forgotten = 0;
    for (const [name, topic] of this.#topics) {
      const { ageMs, events, bytes } = retention(name);
      const { batches } = topic;
      let oldest = topic.oldest;
      if (events !== undefined) oldest = Math.max(oldest, topic.latest - events + 1);
      if (bytes !== undefined) oldest = Math.max(oldest, oldestWithin(topic, bytes));
      if (ageMs !== undefined) {
        const young = batches[lowest(batches.length, (index) => (batches[index]?.time ?? 0) >= now - ageMs)];
        oldest = Math.max(oldest, young?.first ?? topic.latest + 1);
      }
      forgotten += forget(topic, oldest);
    }
    for (const [key, { time }] of this.#keys) {
      if (time > now - IDEMPOTENCY_MS) break;
      this.#keys.delete(key);
    }
    return forgotten;
  }

  async compact(name: string, upTo: number): Promise<number> {
    const topic = this.#topics.get(name);
    if (topic === undefined) return 0;
    const compaction = compactBatches(upTo);
    const rewritten = topic.batches
      .map((batch) => batch)
      .reverse()
      .map((batch) => {
        const bodies = compaction.apply(batch);
        return bodies === undefined ? batch : { ...batch, bodies, bytes: byteLengthOf(bodies) };
      });
    topic.batches = rewritten.reverse().filter(({ bodies }) => bodies.some((body) => body !== ''));
    topic.bytes = topic.batches.reduce((sum, { bytes }) => sum + bytes, 0);
    return compaction.removed;
  }

  async drop(name: string): Promise<void> {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    const incarnation = topic.incarnation + 1;
    this.#topics.set(name, this.#empty(name, incarnation));
  }

  #page(name: string, after: number, limit: number): LogPage {
    const range = this.#range(name);
    const all = this.#topics.get(name)?.batches ?? [];
    const batches: StoredBatch[] = [];
    let events = 0;
    let bytes = 0;
    for (
      let index = indexAfter(all, Math.max(after, range.oldest - 1));
      events < limit && bytes < PAGE_BYTES;
      index += 1
    ) {
      const batch = all[index];
      if (batch === undefined) break;
      batches.push(batch);
      events += batch.last - batch.first + 1;
      bytes += batch.bytes;
    }
    return { ...range, batches };
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = this.#empty(name, 0);
      this.#topics.set(name, topic);
    }
    return topic;
  }

  #empty(name: string, incarnation: number): Topic {
    return {
      epoch: epochOf(this.#id, incarnation, name),
      incarnation,
      latest: 0,
      oldest: 1,
      bytes: 0,
      updated: 0,
      batches: [],
    };
  }

  #range(name: string): LogRange {
    const topic = this.#topics.get(name);
    return topic === undefined
      ? { epoch: epochOf(this.#id, 0, name), oldest: 1, latest: 0 }
      : { epoch: topic.epoch, oldest: topic.oldest, latest: topic.latest };
  }

  #status(name: string): TopicStatus {
    const { bytes = 0, updated = 0 } = this.#topics.get(name) ?? {};
    return { topic: name, ...this.#range(name), bytes, updated };
  }

  #remember(key: string, record: Remembered): void {
    this.#keys.delete(key);
    this.#keys.set(key, record);
    if (this.#keys.size <= this.#maxKeys) return;
    for (const oldest of this.#keys.keys()) {
      this.#keys.delete(oldest);
      break;
    }
  }
}

function createMemoryRevocations(): RevocationStore {
  const all: Revocation[] = [];
  return {
    async add(revocation) {
      all.push(revocation);
    },
    async since(after) {
      const revocations = all.slice(after, after + 1000);
      const position = after + revocations.length;
      return { revocations, position, more: position < all.length };
    },
  };
}

/** Lets go of everything before `oldest`; whole batches only are freed, but the bound is exact. */
function forget(topic: Topic, oldest: number): number {
  if (oldest <= topic.oldest) return 0;
  const forgotten = oldest - topic.oldest;
  topic.oldest = oldest;
  const freed = topic.batches.splice(0, indexAfter(topic.batches, oldest - 1));
  for (const { bytes } of freed) topic.bytes -= bytes;
  return forgotten;
}

/** The seq of the oldest event to keep so that the bodies fit into `limit` bytes; the newest batch always stays. */
function oldestWithin(topic: Topic, limit: number): number {
  let { bytes, oldest } = topic;
  for (const batch of topic.batches) {
    if (bytes <= limit || batch.last === topic.batches.at(-1)?.last) break;
    bytes -= batch.bytes;
    oldest = batch.last + 1;
  }
  return oldest;
}

/** The index of the first batch that ends after `seq`. */
function indexAfter(batches: readonly Batch[], seq: number): number {
  return lowest(batches.length, (index) => (batches[index]?.last ?? 0) > seq);
}

/** The lowest index below `length` for which `holds` is true (it must stay true from there on), else `length`. */
function lowest(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Orders as UTF-8 bytes and Postgres's "C" collation do; `<` on strings orders by UTF-16 unit, which differs. */
function compareCodePoints(a: string, b: string): number {
  let index = 0;
  while (index < a.length && index < b.length && a.charCodeAt(index) === b.charCodeAt(index)) index += 1;
  return (a.codePointAt(index) ?? -1) - (b.codePointAt(index) ?? -1);
}
