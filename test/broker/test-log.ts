/**
 * A log for tests of the broker: the memory store's, which can be made awkward in every way that the port allows (late answers,
 * failures before and after the deed, pages cut short), can be set back as a restored backup would, and which remembers
 * everything that was ever appended, so that a test can compare.
 */
import { epochOf } from '../../src/protocol/cursor.ts';
import { decodeEventBody } from '../../src/protocol/event.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import {
  type Append,
  type Appended,
  type LogPage,
  type LogRange,
  type LogStore,
  type Retention,
  type StoredBatch,
  StoreUnavailable,
} from '../../src/store/store.ts';

export interface Awkwardness {
  /** The longest that a call waits, before it does something and again before it answers, in ms. */
  readonly delayMs: number;
  /** How often a call fails, 0 to 1; half of the failures come after the deed. */
  readonly failures: number;
  /** Whether pages are cut short at random. */
  readonly shortPages: boolean;
}

export const PLAIN: Awkwardness = { delayMs: 0, failures: 0, shortPages: false };

/** What one log of a topic holds, and held. */
export interface Truth {
  readonly epoch: string;
  /** `type`, `key` and `data` of event `seq` at index `seq - 1`. */
  readonly events: { readonly type: string; readonly key?: string | undefined; readonly data: unknown }[];
  /** Everything up to here was let go. */
  prunedTo: number;
}

export class TestLog implements LogStore {
  awkwardness: Awkwardness;
  /** While true every call fails. */
  away = false;
  /** Calls by the method's name. */
  readonly calls: Record<string, number> = {};
  readonly #random: () => number;
  #inner: LogStore = createMemoryStore().log;
  readonly #incarnations = new Map<string, number>();
  readonly #truths = new Map<string, Truth[]>();

  constructor(random: () => number = Math.random, awkwardness: Awkwardness = PLAIN) {
    this.#random = random;
    this.awkwardness = awkwardness;
  }

  /** The logs that a topic has had, the present one last. */
  history(topic: string): readonly Truth[] {
    let truths = this.#truths.get(topic);
    if (truths === undefined) {
      truths = [{ epoch: this.#epoch(topic), events: [], prunedTo: 0 }];
      this.#truths.set(topic, truths);
    }
    return truths;
  }

  now(topic: string): Truth {
    return this.history(topic).at(-1)!;
  }

  /** Takes the newest events away, as a restored backup would, and keeps the epoch. */
  async setBack(topic: string, latest: number): Promise<void> {
    const pages = await this.#inner.read(topic, 0, latest);
    this.#inner = createMemoryStore().log;
    for (const { first, bodies } of pages.batches) {
      const kept = bodies.slice(0, latest - first + 1);
      if (kept.length > 0) await this.#inner.append({ topic, bodies: kept });
    }
    this.now(topic).events.length = latest;
  }

  append(append: Append): Promise<Appended> {
    return this.#do('append', async () => {
      // Taken in the same turn as the deed, in case another deed comes before the answer.
      const truth = this.now(append.topic);
      const appended = await this.#inner.append(append);
      if (appended.kind === 'mismatch') return appended;
      if (appended.kind === 'appended') {
        for (const body of append.bodies) truth.events.push(decodeEventBody(body));
      }
      return { ...appended, epoch: truth.epoch };
    });
  }

  read(topic: string, after: number, limit: number): Promise<LogPage> {
    return this.#do('read', async () => {
      const epoch = this.#epoch(topic);
      const page = await this.#inner.read(topic, after, limit);
      return this.awkwardness.shortPages
        ? { ...page, epoch, batches: this.#cut(page.batches, Math.max(after, page.oldest - 1)) }
        : { ...page, epoch };
    });
  }

  ranges(topics: readonly string[]): Promise<readonly LogRange[]> {
    return this.#do('ranges', async () => {
      const epochs = topics.map((topic) => this.#epoch(topic));
      const ranges = await this.#inner.ranges(topics);
      return ranges.map((range, index) => ({ ...range, epoch: epochs[index]! }));
    });
  }

  seek(topic: string, time: number) {
    return this.#do('seek', async () => {
      const epoch = this.#epoch(topic);
      return { ...(await this.#inner.seek(topic, time)), epoch };
    });
  }

  topics(query: Parameters<LogStore['topics']>[0]) {
    return this.#do('topics', () => this.#inner.topics(query));
  }

  topic(name: string) {
    return this.#do('topic', () => this.#inner.topic(name));
  }

  async prune(retention: (topic: string) => Retention, now: number): Promise<number> {
    const count = await this.#inner.prune(retention, now);
    for (const topic of this.#truths.keys()) {
      const [range] = await this.#inner.ranges([topic]);
      this.now(topic).prunedTo = range!.oldest - 1;
    }
    return count;
  }

  compact(topic: string, upTo: number): Promise<number> {
    return this.#do('compact', () => this.#inner.compact(topic, upTo));
  }

  async drop(topic: string): Promise<void> {
    const dropped = this.#inner.drop(topic);
    const truths = this.history(topic) as Truth[];
    this.#incarnations.set(topic, (this.#incarnations.get(topic) ?? 0) + 1);
    truths.push({ epoch: this.#epoch(topic), events: [], prunedTo: 0 });
    await dropped;
  }

  #epoch(topic: string): string {
    return epochOf('test', this.#incarnations.get(topic) ?? 0, topic);
  }

  async #do<Answer>(name: string, deed: () => Promise<Answer>): Promise<Answer> {
    this.calls[name] = (this.calls[name] ?? 0) + 1;
    const { failures } = this.awkwardness;
    const fails = this.#random() < failures;
    const late = this.#random() < 0.5;
    await this.#wait();
    if (this.away || (fails && !late)) throw new StoreUnavailable('away');
    const answer = await deed();
    await this.#wait();
    if (this.away || fails) throw new StoreUnavailable('lost');
    return answer;
  }

  async #wait(): Promise<void> {
    const ms = Math.floor(this.#random() * (this.awkwardness.delayMs + 1));
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** The beginning of a page: at least one event beyond `after`, perhaps only part of a batch. */
  #cut(batches: readonly StoredBatch[], after: number): readonly StoredBatch[] {
    const total = batches.reduce((sum, { first, bodies }) => sum + Math.max(0, first + bodies.length - 1 - after), 0);
    if (total === 0) return batches;
    const last = after + 1 + Math.floor(this.#random() * total);
    return batches
      .filter(({ first }) => first <= last)
      .map((batch) => ({ ...batch, bodies: batch.bodies.slice(0, last - batch.first + 1) }));
  }
}
