/** A subscription of the in-process broker: a cursor that reads on, whatever comes in between. */
import type { Gap, GapReason } from '../protocol/control.ts';
import { type Cursor, formatCursor, parseCursor } from '../protocol/cursor.ts';
import { EventBatch, type LogEvent } from '../protocol/event-batch.ts';
import { type LogRange, StoreUnavailable } from '../store/store.ts';
import { CONFLATION_RUN, type Subscriber, type Subscription } from './broker.ts';
import type { LiveTopic } from './live-topic.ts';
import { Pause } from './pause.ts';
import { choose, conflate, type Selector } from './selection.ts';

/** Events taken in one step: few at first, so that a slow reader makes us hold little, and more while it keeps up. */
const FIRST_STEP = 64;
const LARGEST_STEP = 1024;
/** How long to wait before asking the log again after it could not be reached. */
const RETRY_MS = 500;

export interface SubscriptionStart {
  readonly cursor: Cursor;
  /** Told first: what lies between what was asked for and `cursor` is missing. */
  readonly gap?: Gap | undefined;
  /** The reader asked for whatever there is, so history that is gone by now is no gap. */
  readonly fromWhateverIsThere: boolean;
}

export interface SubscriptionContext {
  readonly onFault: (error: unknown) => void;
  /** Told when a subscription goes to the log for events: a catch-up or a slow reader. */
  readonly onLogRead: () => void;
  readonly onGap: (reason: GapReason) => void;
  readonly onClose: (subscription: LocalSubscription) => void;
}

export class LocalSubscription implements Subscription {
  readonly selector: Selector;
  readonly conflating: boolean;
  readonly #topic: LiveTopic;
  readonly #context: SubscriptionContext;
  readonly #conflateMs: number;
  #subscriber: Subscriber | undefined;
  #epoch: string;
  /** Where it stands while it is not in the topic's live set; there, the topic's head says it. */
  #seq: number;
  #joined = false;
  #live = false;
  #closed = false;
  #reading = false;
  #lenient: boolean;
  #startGap: Gap | undefined;
  #step = FIRST_STEP;
  /** The end of a conflation interval. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastRun = Number.NEGATIVE_INFINITY;
  readonly #pause = new Pause();

  constructor(
    topic: LiveTopic,
    selector: Selector,
    conflateMs: number,
    start: SubscriptionStart,
    context: SubscriptionContext,
  ) {
    this.selector = selector;
    this.conflating = conflateMs > 0;
    this.#topic = topic;
    this.#conflateMs = conflateMs;
    this.#context = context;
    this.#epoch = start.cursor.epoch;
    this.#seq = start.cursor.seq;
    this.#lenient = start.fromWhateverIsThere;
    this.#startGap = start.gap;
  }

  get topic(): string {
    return this.#topic.name;
  }

  get position(): Cursor {
    // Until the gap was told, the reader stands where it came from: a cursor beyond it would hide the gap.
    if (this.#startGap !== undefined) {
      const requested = parseCursor(this.#startGap.requested);
      if (requested !== undefined) return requested;
    }
    return { epoch: this.#epoch, seq: this.#joined && !this.conflating ? this.#topic.head : this.#seq };
  }

  get live(): boolean {
    return this.#live;
  }

  start(subscriber: Subscriber): void {
    if (this.#closed) return;
    this.#subscriber = subscriber;
    const gap = this.#startGap;
    this.#startGap = undefined;
    if (gap !== undefined) this.#tellGap(gap);
    this.resume();
  }

  resume(): void {
    if (!this.#joined && !this.#reading && this.#timer === undefined) void this.#readOn();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pause.end();
    this.#topic.leave(this);
    this.#context.onClose(this);
  }

  /** A flush of the topic, for a live subscription that does not conflate. */
  receive(batch: EventBatch): void {
    if (this.#subscriber?.ready) this.#subscriber.deliver(batch, this);
    else {
      this.fallBehind();
      this.#seq = batch.after;
    }
  }

  receiveEphemeral(batch: EventBatch): void {
    if (this.#live && this.#subscriber?.ready) this.#subscriber.deliver(batch, this);
  }

  /** Leaves the live set; its position is from here on its own. */
  fallBehind(): void {
    this.#seq = this.position.seq;
    this.#joined = false;
    this.#topic.leave(this);
  }

  /** A flush of the topic, for one that conflates: it reads on when its interval is over. */
  wake(): void {
    if (this.#timer === undefined && !this.#reading) this.#rest(this.#intervalLeft());
  }

  /** Milliseconds until a live subscription that conflates may deliver again. */
  #intervalLeft(): number {
    return this.conflating ? Math.max(0, this.#lastRun + this.#conflateMs - performance.now()) : 0;
  }

  #rest(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#joined = false;
      this.resume();
    }, milliseconds);
  }

  async #readOn(): Promise<void> {
    this.#reading = true;
    try {
      while (!this.#closed && !this.#joined && this.#subscriber?.ready) {
        if (this.#epoch !== this.#topic.epoch) await this.#changeEpoch();
        else if (this.#seq > this.#topic.head) await this.#awaitTopic();
        else if (this.#seq === this.#topic.head) this.#join();
        else if (this.#live && this.#intervalLeft() > 0) {
          this.#join();
          this.#rest(this.#intervalLeft());
        } else await this.#readStep();
      }
    } catch (error) {
      this.#context.onFault(error);
    } finally {
      this.#reading = false;
    }
  }

  #join(): void {
    this.#joined = true;
    this.#topic.join(this);
    if (this.#live) return;
    this.#live = true;
    this.#lenient = false;
    this.#subscriber?.caughtUp(this);
  }

  /** One step towards the head: from the ring if it reaches back far enough, else from the log. */
  async #readStep(): Promise<void> {
    const limit = this.conflating ? CONFLATION_RUN : this.#step;
    const held = this.#topic.ring.after(this.#seq, limit);
    if (held !== undefined) {
      this.#take(held, held.length < limit ? this.#topic.head : (held.at(-1)?.seq ?? this.#topic.head));
      return;
    }
    this.#context.onLogRead();
    const { generation } = this.#topic.mark;
    const page = await this.#ask(() => this.#topic.read(this.#seq, limit));
    // When the topic began again meanwhile, the page may be of what was there before.
    if (this.#closed || page === undefined || generation !== this.#topic.mark.generation) return;
    if (page.epoch !== this.#epoch || page.latest < this.#seq) {
      // Another log, or this one set back: the topic learns of it before anything is decided.
      if (!(await this.#topic.refresh())) await this.#pause.wait(RETRY_MS);
      return;
    }
    if (page.latest > this.#topic.known) this.#topic.learn(page.latest);
    if (page.oldest > this.#seq + 1) {
      this.#skipTo(page, this.#live ? 'lagged' : 'expired');
      return;
    }
    // Events beyond the topic's head will come by it.
    const { head } = this.#topic;
    if (page.end <= head) this.#take(page.events, page.end);
    else
      this.#take(
        page.events.filter(({ seq }) => seq <= head),
        head,
      );
  }

  #take(events: readonly LogEvent[], end: number): void {
    if (!this.#subscriber?.ready) {
      this.#step = Math.max(FIRST_STEP, this.#step >> 1);
      return;
    }
    this.#step = Math.min(LARGEST_STEP, this.#step << 1);
    const chosen = choose(events, this.selector);
    const kept = this.conflating ? conflate(chosen) : chosen;
    const batch = new EventBatch(this.topic, this.#epoch, this.#seq, end, kept);
    this.#seq = end;
    this.#lastRun = performance.now();
    if (kept.length > 0) this.#subscriber.deliver(batch, this);
  }

  async #changeEpoch(): Promise<void> {
    const range = await this.#ask(() => this.#topic.range());
    if (this.#closed || range === undefined) return;
    // Which of the two is behind? The topic may still be on its way to this subscription's epoch, or to the log's.
    if (range.epoch !== this.#epoch && range.epoch === this.#topic.epoch) this.#skipTo(range, 'unknown-epoch');
    else if (!(await this.#topic.refresh())) await this.#pause.wait(RETRY_MS);
  }

  /** Stands beyond the topic's head: either the topic has not heard of an append yet, or the log was set back. */
  async #awaitTopic(): Promise<void> {
    if (!(await this.#topic.refresh())) return this.#pause.wait(RETRY_MS);
    const range = await this.#ask(() => this.#topic.range());
    if (this.#closed || range === undefined || range.epoch !== this.#epoch || this.#seq <= range.latest) return;
    this.#skipTo({ ...range, oldest: range.latest + 1 }, 'ahead');
  }

  /**
   * Asks the log; `undefined` (after a pause) when it gives no answer. One that is away is waited for, and so is one that fails:
   * its readers would otherwise stand still without knowing.
   */
  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer | undefined> {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) this.#context.onFault(error);
      if (!this.#closed) await this.#pause.wait(RETRY_MS);
      return undefined;
    }
  }

  /** Steps over history that is gone. */
  #skipTo({ epoch, oldest, latest }: LogRange, reason: GapReason): void {
    const requested = this.position;
    this.#epoch = epoch;
    this.#seq = oldest - 1;
    if (this.#lenient && reason === 'expired') return;
    this.#tellGap({
      topic: this.topic,
      requested: formatCursor(requested),
      oldest: formatCursor({ epoch, seq: oldest - 1 }),
      latest: formatCursor({ epoch, seq: latest }),
      reason,
    });
  }

  #tellGap(gap: Gap): void {
    this.#context.onGap(gap.reason);
    this.#subscriber?.gap(gap, this);
  }
}
