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
import type { LocalSubscription } from './local-subscription.ts';
import { Ring } from './ring.ts';
import { choose, type Selector } from './selection.ts';

/** Events read from the log at once, and how long to wait before asking again after it could not be reached. */
const PAGE = 1000;
const RETRY_MS = 500;

/** Live subscriptions that choose the same events. */
interface Group {
  readonly selector: Selector;
  readonly live: Set<LocalSubscription>;
}

/** A page of the log as events. */
export interface EventPage extends LogRange {
  readonly events: readonly LogEvent[];
  /** Everything in the log up to here is in `events`, or gone. */
  readonly end: number;
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
  readonly #groups = new Map<string, Group>();
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

  /** Learns where the log stands; concurrent callers share one look. @throws StoreUnavailable */
  load(read: () => Promise<LogRange>): Promise<void> {
    this.#loading ??= read().then(
      (range) => {
        const wanted = this.#wanted;
        this.#loaded = true;
        this.#restart(range);
        this.learn(wanted);
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
    if (this.#loaded && this.#wanted > this.#known) void this.#fetch();
  }

  /**
   * Compares with the log's range at this moment, fetches what is new, and flushes it.
   * @param range what the log said, if it was asked already and nothing was flushed since
   * @returns whether the log answered: then the head is at least where the log ended when it was asked
   */
  async refresh(range?: LogRange): Promise<boolean> {
    try {
      const head = this.#head;
      const now = range ?? (await this.#context.log.ranges([this.name]))[0];
      if (now === undefined) return false;
      // A log that ends before what was flushed is another log, even if a restored copy kept its epoch.
      if (now.epoch !== this.#epoch || now.latest < head) this.#restart(now);
      this.learn(now.latest);
      await this.#fetching;
      this.flush();
      return true;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) this.#context.onFault(error);
      return false;
    }
  }

  /** Reads a page of the log; readers at the same place share one read. @throws StoreUnavailable */
  read(after: number, limit: number): Promise<EventPage> {
    const key = `${after}/${limit}`;
    const shared = this.#reads.get(key);
    if (shared !== undefined) return shared;
    const read = this.#read(after, limit).finally(() => this.#reads.delete(key));
    this.#reads.set(key, read);
    return read;
  }

  /** Takes in a subscription whose position is the head. */
  join(subscription: LocalSubscription): void {
    if (subscription.conflating) {
      this.#conflating.add(subscription);
      return;
    }
    const { selector } = subscription;
    let group = this.#groups.get(selector.name);
    if (group === undefined) {
      group = { selector, live: new Set() };
      this.#groups.set(selector.name, group);
    }
    group.live.add(subscription);
  }

  leave(subscription: LocalSubscription): void {
    this.#conflating.delete(subscription);
    const group = this.#groups.get(subscription.selector.name);
    if (group?.live.delete(subscription) && group.live.size === 0) this.#groups.delete(subscription.selector.name);
  }

  /** Hands pending events to the live subscribers. */
  flush(): void {
    if (this.#pending.length === 0 && this.#head === this.#known) return;
    const events = this.#pending;
    const after = this.#head;
    this.#pending = [];
    this.#head = this.#known;
    this.ring.push(events);
    for (const { selector, live } of this.#groups.values()) {
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
    for (const { selector, live } of this.#groups.values()) this.#passOn(events, selector, live);
    for (const subscription of this.#conflating) this.#passOn(events, subscription.selector, [subscription]);
  }

  #passOn(events: readonly LogEvent[], selector: Selector, live: Iterable<LocalSubscription>): void {
    const chosen = choose(events, selector);
    if (chosen.length === 0) return;
    const batch = new EventBatch(this.name, this.#epoch, this.#head, this.#head, chosen);
    for (const subscription of live) subscription.receiveEphemeral(batch);
  }

  async #read(after: number, limit: number): Promise<EventPage> {
    const { batches, ...range } = await this.#context.log.read(this.name, after, limit);
    const events: LogEvent[] = [];
    for (const batch of batches) {
      for (const event of logEvents(this.name, range.epoch, batch)) {
        if (event.seq > after && event.seq >= range.oldest) events.push(event);
      }
    }
    const last = batches.at(-1);
    return { ...range, events, end: last === undefined ? range.latest : last.first + last.bodies.length - 1 };
  }

  #push(events: readonly LogEvent[], last: number): void {
    for (const event of events) this.#pending.push(event);
    this.#known = last;
    if (this.#flushing) return;
    this.#flushing = true;
    this.#context.schedule(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchWanted().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchWanted(): Promise<void> {
    while (this.#known < this.#wanted && this.holders > 0) {
      try {
        const page = await this.#read(this.#known, PAGE);
        if (page.epoch !== this.#epoch || page.oldest > this.#known + 1 || page.latest < this.#known)
          this.#restart(page);
        else if (page.latest < this.#wanted && page.end <= this.#known) this.#wanted = this.#known;
        else if (page.end > this.#known) {
          // What this node appended meanwhile may have been handed over while the page was on its way.
          const known = this.#known;
          this.#push(
            page.events.filter(({ seq }) => seq > known),
            page.end,
          );
        }
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) this.#context.onFault(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Begins again at the end of `range`: another epoch, or so far behind that the log has forgotten what comes next. */
  #restart(range: LogRange): void {
    const live = [...this.#groups.values()].flatMap((group) => [...group.live]).concat([...this.#conflating]);
    // Their positions come from the head, so they step out before it moves.
    for (const subscription of live) subscription.fallBehind();
    this.#epoch = range.epoch;
    this.#head = range.latest;
    this.#known = range.latest;
    this.#wanted = range.latest;
    this.#pending = [];
    this.ring.restart(range.latest);
    for (const subscription of live) subscription.resume();
  }
}
