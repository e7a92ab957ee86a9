/** One reader's place in a view: its subscription. */
import type { Subscriber, Subscription } from '../broker/broker.ts';
import type { GapReason } from '../protocol/control.ts';
import { type Cursor, formatCursor } from '../protocol/cursor.ts';
import { EventBatch } from '../protocol/event-batch.ts';
import type { RowView } from './row-view.ts';
import { ViewConflation } from './view-conflation.ts';

export class ViewReader implements Subscription {
  readonly #view: RowView;
  readonly #types: ReadonlySet<string> | undefined;
  #subscriber: Subscriber | undefined;
  #from: Cursor | undefined;
  /** The subscription that it takes the place of. */
  #before: ViewReader | undefined;
  /** Whether another takes its place, and what it held at its end. */
  #succeeded = false;
  #left: ReadonlyMap<string, string> | undefined;
  #joined = false;
  #live = false;
  #closed = false;
  #joinedAt = Number.NEGATIVE_INFINITY;
  /** What is kept back until its interval is over; `undefined` for a reader who does not conflate. */
  readonly #conflation: ViewConflation | undefined;

  /**
   * @param from where it stands; `undefined` begins live
   * @param types all unless given
   * @param conflateMs at most one event a key in so many ms; 0 for all
   * @param before its reader's subscription to another view: then it is told the difference. That one is to be closed before this
   *   one is started
   */
  constructor(
    view: RowView,
    from: Cursor | undefined,
    types: readonly string[] = [],
    conflateMs = 0,
    before: ViewReader | undefined = undefined,
  ) {
    this.#view = view;
    this.#from = from;
    this.#before = before;
    if (before !== undefined) before.#succeeded = true;
    this.#types = types.length === 0 ? undefined : new Set(types);
    this.#conflation = conflateMs === 0 ? undefined : new ViewConflation(conflateMs, (batch) => this.#pass(batch));
    view.hold();
  }

  get topic(): string {
    return this.#view.topic;
  }

  get position(): Cursor {
    if (!this.#joined && this.#from !== undefined) return this.#from;
    return this.#conflation?.from ?? this.#view.position;
  }

  get live(): boolean {
    return this.#live;
  }

  /** Where it stands while it is not in the view. */
  get from(): Cursor | undefined {
    return this.#from;
  }

  /** What its reader holds of the view that it comes from, where that is known. */
  get holds(): ReadonlyMap<string, string> | undefined {
    return this.#before === undefined ? undefined : this.#before.#left;
  }

  /** When it came to the view, in ms of the view's clock. */
  get joinedAt(): number {
    return this.#joinedAt;
  }

  start(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
    this.resume();
  }

  resume(): void {
    if (!this.#closed && !this.#joined && this.#subscriber !== undefined) this.#view.join(this);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conflation?.drop();
    if (this.#succeeded && this.#joined) this.#left = new Map(this.#view.held);
    this.#view.leave(this);
    this.#view.release();
  }

  // What the view says.

  /** It stands where the view does, once it has taken what it was behind. @param now ms of the view's clock */
  joined(now: number, missed: EventBatch | undefined): void {
    if (this.#joined || this.#closed) return;
    this.#joined = true;
    this.#joinedAt = now;
    this.#from = undefined;
    this.#before = undefined;
    if (missed !== undefined) this.receive(missed);
    if (this.#live || !this.#joined) return;
    this.#live = true;
    this.#subscriber?.caughtUp(this);
  }

  receive(batch: EventBatch): void {
    const types = this.#types;
    const events = types === undefined ? batch.events : batch.events.filter(({ type }) => types.has(type));
    if (events.length === 0) return;
    const chosen =
      types === undefined ? batch : new EventBatch(batch.topic, batch.epoch, batch.after, batch.last, events);
    if (this.#conflation === undefined) this.#pass(chosen);
    else this.#conflation.take(chosen);
  }

  #pass(batch: EventBatch): void {
    if (this.#subscriber?.ready) {
      this.#subscriber.deliver(batch, this);
      return;
    }
    // Too slow: it steps out, and is told what it missed when it goes on.
    this.#conflation?.drop();
    this.#joined = false;
    this.#from = { epoch: batch.epoch, seq: batch.after };
    this.#view.leave(this);
  }

  /** The view is no more. */
  ended(): void {
    this.#subscriber?.cutOff?.(this);
  }

  /** What lies between `requested` and the view's position cannot be told. It goes on from there. */
  gap(requested: Cursor, reason: GapReason): void {
    this.#conflation?.drop();
    this.#from = undefined;
    const { topic } = this;
    const position = formatCursor(this.#view.position);
    const gap = { topic, requested: formatCursor(requested), oldest: position, latest: position, reason };
    this.#subscriber?.gap(gap, this);
  }
}
