/** A subscription that takes the place of another under a new token: first the difference, then what comes. */
import type { Subscriber, Subscription } from '../broker/broker.ts';
import { Pause } from '../broker/pause.ts';
import { type Cursor, formatCursor } from '../protocol/cursor.ts';
import { EventBatch } from '../protocol/event-batch.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { ScopeDifference } from './scope-difference.ts';
import type { ViewSubscription } from './view-subscription.ts';

const RETRY_MS = 500;

export interface SucceedingOptions {
  readonly topic: string;
  /** Where the reader stands until the difference is told, in the words of the view that it comes from. */
  readonly position: () => Cursor;
  /** Looks for the difference, once the subscription before is closed. @throws StoreUnavailable */
  readonly difference: () => Promise<ScopeDifference>;
  /** Goes on from there. @throws StoreUnavailable */
  readonly follow: (from: Cursor) => Promise<ViewSubscription>;
  /** The types that are wanted; all if there are none. */
  readonly types: readonly string[];
  readonly onFault: (error: unknown) => void;
}

export class SucceedingSubscription implements Subscription {
  readonly #options: SucceedingOptions;
  readonly #pause = new Pause();
  #subscriber: Subscriber | undefined;
  #inner: ViewSubscription | undefined;
  /** What is to be told before the inner one begins. */
  #due: ScopeDifference | undefined;
  #closed = false;

  constructor(options: SucceedingOptions) {
    this.#options = options;
  }

  get topic(): string {
    return this.#options.topic;
  }

  get position(): Cursor {
    return this.#inner !== undefined && this.#due === undefined ? this.#inner.position : this.#options.position();
  }

  /** What it follows, once its reader was told the difference. */
  get followed(): ViewSubscription | undefined {
    return this.#due === undefined ? this.#inner : undefined;
  }

  get live(): boolean {
    return this.#inner?.live ?? false;
  }

  start(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
    void this.#begin();
  }

  resume(): void {
    if (this.#due !== undefined) this.#tell();
    else this.#inner?.resume();
  }

  close(): void {
    this.#closed = true;
    this.#pause.end();
    this.#inner?.close();
  }

  async #begin(): Promise<void> {
    const { difference, follow, onFault } = this.#options;
    while (!this.#closed) {
      try {
        const due = await difference();
        const inner = await follow(due.end);
        if (this.#closed) {
          inner.close();
          return;
        }
        this.#due = due;
        this.#inner = inner;
        this.#tell();
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) onFault(error);
        await this.#pause.wait(RETRY_MS);
      }
    }
  }

  /** A reader who is too slow for it is told when it goes on. */
  #tell(): void {
    const [due, inner, subscriber] = [this.#due, this.#inner, this.#subscriber];
    if (due === undefined || inner === undefined || subscriber?.ready !== true) return;
    const requested = formatCursor(this.#options.position());
    this.#due = undefined;
    if (due.told.kind === 'gap') {
      const position = formatCursor(inner.position);
      const { topic } = this;
      subscriber.gap({ topic, requested, oldest: position, latest: position, reason: due.told.reason }, this);
    } else this.#deliver(due.told.events, subscriber, inner.position);
    inner.start({
      get ready() {
        return subscriber.ready;
      },
      deliver: (batch) => subscriber.deliver(batch, this),
      gap: (gap) => subscriber.gap(gap, this),
      caughtUp: () => subscriber.caughtUp(this),
    });
  }

  #deliver(events: EventBatch['events'], subscriber: Subscriber, { epoch, seq }: Cursor): void {
    const types = new Set(this.#options.types);
    const chosen = types.size === 0 ? events : events.filter(({ type }) => types.has(type));
    if (chosen.length > 0) subscriber.deliver(new EventBatch(this.topic, epoch, seq, seq, chosen), this);
  }
}
