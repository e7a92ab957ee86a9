/** The broker of one node: topics in this process, over a store, joined to other nodes by a bus. */
import type { Bus, BusSignal } from '../bus/bus.ts';
import type { Gap, GapReason } from '../protocol/control.ts';
import { type Cursor, formatCursor } from '../protocol/cursor.ts';
import { type EventInput, encodeEventBody } from '../protocol/event.ts';
import { ephemeralEvents } from '../protocol/event-batch.ts';
import { type Appended, type LogRange, type LogStore, type StoredBatch, StoreUnavailable } from '../store/store.ts';
import type { Broker, Origin, Start, SubscribeRequest, Subscription } from './broker.ts';
import { LiveTopic, type LiveTopicContext } from './live-topic.ts';
import { LocalSubscription, type SubscriptionContext, type SubscriptionStart } from './local-subscription.ts';
import { newestPosition } from './newest-position.ts';
import { compileSelection } from './selection.ts';

/** What the broker counts. */
export interface BrokerObserver {
  readonly onPublish?: (events: number) => void;
  readonly onEphemeral?: (events: number) => void;
  readonly onFlush?: (events: number) => void;
  readonly onLogRead?: () => void;
  readonly onGap?: (reason: GapReason) => void;
  readonly onFault?: (error: unknown) => void;
}

/** Adjacent events that were appended to a topic's log of this epoch. */
export interface MovedBatch extends StoredBatch {
  readonly epoch: string;
}

export interface LocalBrokerOptions {
  readonly log: LogStore;
  readonly bus: Bus;
  /** Defers a flush to the end of this turn of the event loop: on Node `setImmediate`. */
  readonly schedule?: (flush: () => void) => void;
  readonly clock?: () => number;
  /** How often the log's tail is compared with what is known, in ms; 0 when no other node can append. */
  readonly tailCheckMs?: number;
  /** Whether a topic's log has holes, because only the newest event of each key is kept. */
  readonly compacted?: ((topic: string) => boolean) | undefined;
  readonly observer?: BrokerObserver;
}

/** Topics asked about in one tail check statement. */
const TAIL_CHECK_TOPICS = 1000;

export class LocalBroker implements Broker {
  readonly #options: LocalBrokerOptions;
  readonly #clock: () => number;
  readonly #topics = new Map<string, LiveTopic>();
  readonly #topicContext: LiveTopicContext;
  readonly #subscriptionContext: SubscriptionContext;
  readonly #stopListening: () => void;
  #announcing = new Map<string, number>();
  #tailCheck: ReturnType<typeof setTimeout> | undefined;
  #checking: Promise<void> | undefined;
  #checkingNext: Promise<void> | undefined;
  #closed = false;

  constructor(options: LocalBrokerOptions) {
    const { log, bus, observer, schedule = queueMicrotask, clock = Date.now } = options;
    this.#options = options;
    this.#clock = clock;
    const onFault = (error: unknown) => observer?.onFault?.(error);
    this.#topicContext = { log, schedule, onFault, onFlush: (events) => observer?.onFlush?.(events) };
    this.#subscriptionContext = {
      onFault,
      onLogRead: () => observer?.onLogRead?.(),
      onGap: (reason) => observer?.onGap?.(reason),
      onClose: (subscription) => this.#release(subscription.topic),
    };
    this.#stopListening = bus.listen(
      ({ signal }) => this.#hear(signal),
      () => void this.checkTails(),
    );
    this.#planTailCheck();
  }

  get topics(): number {
    return this.#topics.size;
  }

  get subscriptions(): number {
    let sum = 0;
    for (const { holders } of this.#topics.values()) sum += holders;
    return sum;
  }

  subscribers(topic: string): number {
    return this.#topics.get(topic)?.holders ?? 0;
  }

  async publish(topic: string, events: readonly EventInput[], origin: Origin = {}): Promise<Appended> {
    const bodies = events.map((event) => encodeEventBody(event, origin));
    const appended = await this.#options.log.append({ topic, bodies, idempotency: origin.idempotency });
    if (appended.kind === 'mismatch') return appended;
    const last = appended.first + appended.count - 1;
    if (appended.kind === 'appended') {
      this.#topics.get(topic)?.appended(appended.epoch, appended.first, appended.time, bodies);
      this.#options.observer?.onPublish?.(bodies.length);
    } else this.#topics.get(topic)?.learn(last);
    // A write that is repeated may be one whose first answer, and the word of it, were lost.
    this.#announce(topic, last);
    return appended;
  }

  /** Takes over what was appended to a topic by other means than {@link publish}, after its commit. */
  moved(topic: string, { epoch, first, time, bodies }: MovedBatch): void {
    this.#topics.get(topic)?.appended(epoch, first, time, bodies);
    this.#announce(topic, first + bodies.length - 1);
  }

  publishEphemeral(topic: string, events: readonly EventInput[], origin: Origin = {}): number {
    const time = this.#clock();
    const bodies = events.map((event) => encodeEventBody(event, origin));
    this.#topics.get(topic)?.ephemeral(ephemeralEvents(topic, time, bodies));
    this.#options.bus.send({ kind: 'ephemeral', topic, time, bodies });
    this.#options.observer?.onEphemeral?.(bodies.length);
    return time;
  }

  async subscribe(requests: readonly SubscribeRequest[]): Promise<readonly Subscription[]> {
    const topics = requests.map(({ topic }) => this.#hold(topic));
    try {
      await this.#load(topics);
      return await Promise.all(
        requests.map(async (request, index) => {
          const topic = topics[index];
          if (topic === undefined) throw new Error('a request lost its topic');
          const start = await this.#resolve(topic, request.start);
          return new LocalSubscription(
            topic,
            compileSelection(request),
            request.conflate ?? 0,
            start,
            this.#subscriptionContext,
          );
        }),
      );
    } catch (error) {
      for (const { name } of topics) this.#release(name);
      throw error;
    }
  }

  /**
   * Compares every live topic with the log, in case word of an append was lost: as the log is when this is called, or later. Resolves also
   * when the log is away.
   */
  checkTails(): Promise<void> {
    if (this.#checking === undefined) {
      this.#checking = this.#checkTails().finally(() => {
        this.#checking = undefined;
      });
      return this.#checking;
    }
    // What is under way may have asked already.
    this.#checkingNext ??= this.#checking.then(() => {
      this.#checkingNext = undefined;
      return this.checkTails();
    });
    return this.#checkingNext;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#tailCheck);
    this.#stopListening();
    await this.#checking;
  }

  #hear(signal: BusSignal): void {
    if (signal.kind === 'appended') {
      for (const [topic, seq] of signal.heads) this.#topics.get(topic)?.learn(seq);
    } else if (signal.kind === 'ephemeral') {
      this.#topics.get(signal.topic)?.ephemeral(ephemeralEvents(signal.topic, signal.time, signal.bodies));
    }
  }

  /** Word of appends goes out once a turn, however many there were. */
  #announce(topic: string, seq: number): void {
    if (this.#announcing.size === 0) {
      (this.#options.schedule ?? queueMicrotask)(() => {
        const heads = [...this.#announcing];
        this.#announcing = new Map();
        this.#options.bus.send({ kind: 'appended', heads });
      });
    }
    this.#announcing.set(topic, Math.max(seq, this.#announcing.get(topic) ?? 0));
  }

  #hold(name: string): LiveTopic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new LiveTopic(name, this.#topicContext);
      this.#topics.set(name, topic);
    }
    topic.holders += 1;
    return topic;
  }

  #release(name: string): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    topic.holders -= 1;
    if (topic.holders > 0) return;
    this.#topics.delete(name);
    topic.stop();
  }

  /** Loads the topics that are new here, with one question for all of them that nobody else is asking about. */
  async #load(topics: readonly LiveTopic[]): Promise<void> {
    const fresh = new Map<LiveTopic, number>();
    for (const topic of topics) if (!topic.loaded && !topic.loading && !fresh.has(topic)) fresh.set(topic, fresh.size);
    let ranges: Promise<readonly LogRange[]> | undefined;
    const ask = async (topic: LiveTopic): Promise<LogRange> => {
      ranges ??= this.#options.log.ranges(Array.from(fresh.keys(), ({ name }) => name));
      const range = (await ranges)[fresh.get(topic) ?? -1];
      if (range === undefined) throw new Error('the log gave too few ranges');
      return range;
    };
    await Promise.all(topics.map((topic) => (topic.loaded ? undefined : topic.load(() => ask(topic)))));
  }

  async #resolve(topic: LiveTopic, start: Start): Promise<SubscriptionStart> {
    topic.flush();
    const at = (seq: number, fromWhateverIsThere: boolean) => ({
      cursor: { epoch: topic.epoch, seq },
      fromWhateverIsThere,
    });
    switch (start.kind) {
      case 'latest':
        return at(topic.head, true);
      case 'earliest':
        return at(0, true);
      case 'last':
        return at(await this.#newest(topic, start.count), true);
      case 'since':
        return this.#resolveSince(topic, start.time);
      case 'cursor':
        return this.#resolveCursor(topic, start.cursors);
    }
  }

  async #newest({ name, head }: LiveTopic, count: number): Promise<number> {
    const { log, compacted } = this.#options;
    return compacted?.(name) ? newestPosition(log, name, head, count) : Math.max(0, head - count);
  }

  async #resolveCursor(topic: LiveTopic, cursors: readonly Cursor[]): Promise<SubscriptionStart> {
    const fitting = () => cursors.find(({ epoch, seq }) => epoch === topic.epoch && seq <= topic.head);
    if (fitting() === undefined) await topic.refresh();
    const fit = fitting();
    if (fit !== undefined) return { cursor: fit, fromWhateverIsThere: false };
    const range = await topic.range();
    const cursor = cursors.find(({ epoch }) => epoch === range.epoch) ?? cursors[0];
    if (cursor === undefined) throw new RangeError('a start without a cursor');
    // Of another log nothing was seen yet; of this one, what lies ahead of its end cannot be known.
    const unknown = cursor.epoch !== range.epoch;
    // The log has grown meanwhile, or the topic could not hear of it: the subscription waits for the topic.
    if (!unknown && cursor.seq <= range.latest) return { cursor, fromWhateverIsThere: false };
    const from = unknown ? range : { ...range, oldest: range.latest + 1 };
    return {
      cursor: { epoch: range.epoch, seq: from.oldest - 1 },
      gap: gapOf(topic.name, formatCursor(cursor), from, unknown ? 'unknown-epoch' : 'ahead'),
      fromWhateverIsThere: false,
    };
  }

  async #resolveSince(topic: LiveTopic, time: number): Promise<SubscriptionStart> {
    const cursor = await this.#options.log.seek(topic.name, time);
    const range = await topic.range();
    if (range.oldest === 1 || cursor.seq >= range.oldest) return { cursor, fromWhateverIsThere: false };
    // The first event there is lies after the time, and older ones are gone: some of those may have lain after it too.
    const requested = formatCursor({ epoch: range.epoch, seq: 0 });
    return {
      cursor: { epoch: range.epoch, seq: range.oldest - 1 },
      gap: gapOf(topic.name, requested, range, 'expired'),
      fromWhateverIsThere: false,
    };
  }

  #planTailCheck(): void {
    const { tailCheckMs = 1000 } = this.#options;
    if (tailCheckMs === 0 || this.#closed) return;
    // Checks come less often when there are very many topics, so that they never are most of the work.
    const delay = tailCheckMs * Math.max(1, this.#topics.size / (5 * TAIL_CHECK_TOPICS));
    this.#tailCheck = setTimeout(() => void this.checkTails().finally(() => this.#planTailCheck()), delay);
  }

  async #checkTails(): Promise<void> {
    const topics = [...this.#topics.values()].filter(({ loaded }) => loaded);
    try {
      for (let start = 0; start < topics.length; start += TAIL_CHECK_TOPICS) {
        const some = topics.slice(start, start + TAIL_CHECK_TOPICS);
        const marks = some.map(({ mark }) => mark);
        const ranges = await this.#options.log.ranges(some.map(({ name }) => name));
        some.forEach((topic, index) => {
          const [range, mark] = [ranges[index], marks[index]];
          if (range !== undefined && mark !== undefined) void topic.refresh({ range, mark });
        });
      }
    } catch (error) {
      // When the log is away, the next check comes anyway.
      if (!(error instanceof StoreUnavailable)) this.#topicContext.onFault(error);
    }
  }
}

function gapOf(topic: string, requested: string, { epoch, oldest, latest }: LogRange, reason: GapReason): Gap {
  return {
    topic,
    requested,
    oldest: formatCursor({ epoch, seq: oldest - 1 }),
    latest: formatCursor({ epoch, seq: latest }),
    reason,
  };
}
