/**
 * A topic that somebody on this node subscribes to.
 *
 * It learns of new events in three ways: an append by this node hands them over, the bus says that another node appended, and
 * the tail check says that the log is longer than known. Only the first brings the events along; after the others, and
 * whenever something lies between, they are read from the log, once for all subscribers. Either way they are flushed in the
 * order of the log, once each.
 */

import type { EventBody } from '../protocol/event.ts';
import { EventBatch, type LogEvent, logEvents } from '../protocol/event-batch.ts';
import { type LogRange, type LogStore, StoreUnavailable } from '../store/store.ts';
import { type EventPage, readPage } from './event-page.ts';
import { Groups } from './groups.ts';
import type { LocalSubscription } from './local-subscription.ts';
import { Pause } from './pause.ts';
import { Ring } from './ring.ts';
import { choose, type Selector } from './selection.ts';

/** Events read from the log at once, and how long to wait before asking again after it could not be reached. */
const PAGE = 1000;
const RETRY_MS = 500;

/** Where a topic stood when the log was asked: what the answer is compared with. */
export interface TopicMark {
  readonly generation: number;
  readonly head: number;
}

export interface LiveTopicContext {
  readonly log: LogStore;
  /** Defers a flush to the end of this turn of the event loop, so that a burst becomes one write. */
  readonly schedule: (flush: () => void) => void;
  /** Told of faults that no caller can be told of. */
  readonly onFault: (error: unknown) => void;
  /** Told when a flush has handed events to the subscribers: how many events. */
  readonly onFlush: (events: number) => void;
}

export class LiveTopic {
  readonly name: string;
  readonly #context: LiveTopicContext;
  readonly #groups = new Groups();
  readonly #conflating = new Set<LocalSubscription>();
  readonly #reads = new Map<string, Promise<EventPage>>();
  readonly ring = new Ring(0);
  /** How many subscriptions hold this topic. */
  holders = 0;
  #epoch = '';
  /** Live subscribers have received everything up to here. */
  #head = 0;
  /** Everything up to here is flushed or pending. */
  #known = 0;
  /** The log holds at least this much. */
  #wanted = 0;
  /** Counts restarts: what the log was asked before one says nothing about where the topic stands after it. */
  #generation = 0;
  readonly #pause = new Pause();
  #pending: LogEvent[] = [];
  #flushing = false;
  #fetching: Promise<void> | undefined;
  #loading: Promise<void> | undefined;
  #loaded = false;

  constructor(name: string, context: LiveTopicContext) {
    this.name = name;
    this.#context = context;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get head(): number {
    return this.#head;
  }

  get known(): number {
    return this.#known;
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  /** Whether the log was asked where it stands, and has not answered yet. */
  get loading(): boolean {
    return this.#loading !== undefined && !this.#loaded;
  }

  get mark(): TopicMark {
    return { generation: this.#generation, head: this.#head };
  }

  /** Learns where the log stands; concurrent callers share one look. @throws StoreUnavailable */
  load(read: () => Promise<LogRange>): Promise<void> {
    this.#loading ??= read().then(
      (range) => {
        this.#loaded = true;
        this.#restart(range);
        this.learn(range.latest);
      },
      (error) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }

  /** Takes over what this node appended. */
  appended(epoch: string, first: number, time: number, bodies: readonly EventBody[]): void {
    const last = first + bodies.length - 1;
    if (this.#loaded && epoch === this.#epoch && first === this.#known + 1) {
      this.#push(logEvents(this.name, epoch, { first, time, bodies }), last);
    } else if (this.#loaded && epoch !== this.#epoch) void this.refresh();
    else this.learn(last);
  }

  /** Learns that the log holds at least `seq`. */
  learn(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
    if (this.#loaded) this.#fetch();
  }

  /**
   * Compares with the log's range, fetches what is new, and flushes it.
   * @param asked what the log said, and where the topic stood when it was asked; it is asked now unless given
   * @returns whether the log answered: then the head is at least where the log ended when it was asked
   */
  async refresh(asked?: { readonly range: LogRange; readonly mark: TopicMark }): Promise<boolean> {
    try {
      let { range, mark } = asked ?? (await this.#ask());
      while (mark.generation !== this.#generation) ({ range, mark } = await this.#ask());
      // A log that ends before what was flushed when it was asked is another log, even if a restored copy kept its epoch.
      if (range.epoch !== this.#epoch || range.latest < mark.head) this.#restart(range);
      this.learn(range.latest);
      await this.#fetching;
      this.flush();
      return true;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) this.#context.onFault(error);
      return false;
    }
  }

  /** The log's range at this moment. @throws StoreUnavailable */
  async range(): Promise<LogRange> {
    const [range] = await this.#context.log.ranges([this.name]);
    if (range === undefined) throw new Error('the log gave too few ranges');
    return range;
  }

  /** Nobody holds the topic any more: ends what it waits for. */
  stop(): void {
    this.#pause.end();
  }

  /** Reads a page of the log; readers at the same place share one read. @throws StoreUnavailable */
  read(after: number, limit: number): Promise<EventPage> {
    const key = `${this.#generation}/${after}/${limit}`;
    const shared = this.#reads.get(key);
    if (shared !== undefined) return shared;
    const read = readPage(this.#context.log, this.name, after, limit).finally(() => this.#reads.delete(key));
    this.#reads.set(key, read);
    return read;
  }

  /** Takes in a subscription whose position is the head. */
  join(subscription: LocalSubscription): void {
    if (subscription.conflating) {
      this.#conflating.add(subscription);
      return;
    }
    this.#groups.add(subscription);
  }

  leave(subscription: LocalSubscription): void {
    this.#conflating.delete(subscription);
    this.#groups.delete(subscription);
  }

  /** Hands pending events to the live subscribers. */
  flush(): void {
    if (this.#pending.length === 0 && this.#head === this.#known) return;
    const events = this.#pending;
    const after = this.#head;
    this.#pending = [];
    this.#head = this.#known;
    this.ring.push(events);
    for (const { selector, live } of this.#groups.concernedBy(events)) {
      const chosen = choose(events, selector);
      if (chosen.length === 0) continue;
      const batch = new EventBatch(this.name, this.#epoch, after, this.#head, chosen);
      for (const subscription of live) subscription.receive(batch);
    }
    for (const subscription of this.#conflating) subscription.wake();
    this.#context.onFlush(events.length);
  }

  /** Hands ephemeral events to whoever is live. */
  ephemeral(events: readonly LogEvent[]): void {
    this.flush();
    for (const { selector, live } of this.#groups.concernedBy(events)) this.#passOn(events, selector, live);
    for (const subscription of this.#conflating) this.#passOn(events, subscription.selector, [subscription]);
  }

  #passOn(events: readonly LogEvent[], selector: Selector, live: Iterable<LocalSubscription>): void {
    const chosen = choose(events, selector);
    if (chosen.length === 0) return;
    const batch = new EventBatch(this.name, this.#epoch, this.#head, this.#head, chosen);
    for (const subscription of live) subscription.receiveEphemeral(batch);
  }

  #push(events: readonly LogEvent[], last: number): void {
    for (const event of events) this.#pending.push(event);
    this.#known = last;
    if (this.#flushing) return;
    this.#flushing = true;
    // Taken out first: called on the context, a runtime's own function (`queueMicrotask` on Workers) would refuse its `this`.
    const { schedule } = this.#context;
    schedule(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  async #ask(): Promise<{ range: LogRange; mark: TopicMark }> {
    const { mark } = this;
    return { range: await this.range(), mark };
  }

  #fetch(): void {
    if (this.#wants) this.#fetching ??= this.#fetchWanted();
  }

  get #wants(): boolean {
    return this.#known < this.#wanted && this.holders > 0;
  }

  async #fetchWanted(): Promise<void> {
    while (this.#wants) await this.#fetchPage();
    // In the same turn as the last look at what is wanted, so that word of an append never meets a fetch that is over.
    this.#fetching = undefined;
  }

  async #fetchPage(): Promise<void> {
    // What this node appends while the page is on its way is handed over: compare with what was known when it was asked for.
    const generation = this.#generation;
    const after = this.#known;
    const wanted = this.#wanted;
    try {
      const page = await readPage(this.#context.log, this.name, after, PAGE);
      if (generation !== this.#generation) return;
      const known = this.#known;
      if (page.epoch !== this.#epoch || page.oldest > known + 1 || page.latest < after) this.#restart(page);
      else if (page.end > known) {
        this.#push(
          page.events.filter(({ seq }) => seq > known),
          page.end,
        );
      }
      // Word of an append that the log does not hold: of another log. What was heard meanwhile is asked about once more.
      else if (page.latest < wanted && this.#wanted === wanted) this.#wanted = known;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) this.#context.onFault(error);
      await this.#pause.wait(RETRY_MS);
    }
  }

  /** Begins again at the end of `range`: another epoch, or so far behind that the log has forgotten what comes next. */
  #restart(range: LogRange): void {
    const live = [...this.#groups.all()].flatMap((group) => [...group.live]).concat([...this.#conflating]);
    // Their positions come from the head, so they step out before it moves.
    for (const subscription of live) subscription.fallBehind();
    this.#generation += 1;
    this.#epoch = range.epoch;
    this.#head = range.latest;
    this.#known = range.latest;
    this.#wanted = Math.max(this.#wanted, range.latest);
    this.#pending = [];
    this.ring.restart(range.latest);
    for (const subscription of live) subscription.resume();
  }
}
