/** A subscription whose cursors are those of a view: the positions of the log, under the view's epoch. */
import type { Start, Subscriber, Subscription } from '../broker/broker.ts';
import type { Gap } from '../protocol/control.ts';
import { type Cursor, formatCursor, parseCursor, viewEpoch } from '../protocol/cursor.ts';
import { EventBatch } from '../protocol/event-batch.ts';
import type { Sees } from './seen-change.ts';

/** Of no log: what a cursor is taken for that is not of this view. */
const NO_EPOCH = '0000000000';

/** A start as the log understands it. @param epoch of the log */
export function startInLog(start: Start, epoch: string, view: string): Start {
  if (start.kind !== 'cursor' || view === '*') return start;
  const own = viewEpoch(epoch, view);
  return {
    kind: 'cursor',
    cursors: start.cursors.map((cursor) => ({
      ...cursor,
      epoch: cursor.epoch === own ? epoch : foreign(cursor, epoch),
    })),
  };
}

/** A cursor of the log itself belongs to readers who see everything. */
function foreign({ epoch }: Cursor, log: string): string {
  return epoch === log ? NO_EPOCH : epoch;
}

export class ViewSubscription implements Subscription {
  readonly #inner: Subscription;
  readonly #view: string;
  /** What the readers of a view share, by what the log's readers share. */
  readonly #batches: WeakMap<EventBatch, EventBatch>;
  /** What its reader sees. */
  readonly sees: Sees;
  /** Where in the log it stood when it was closed. */
  #left: Cursor | undefined;

  /** @param batches one for all subscriptions of the same projection, so that what they share is encoded once */
  constructor(inner: Subscription, view: string, sees: Sees, batches: WeakMap<EventBatch, EventBatch>) {
    this.#inner = inner;
    this.#view = view;
    this.sees = sees;
    this.#batches = batches;
  }

  /** Where in the log it stands, or stood when it was closed. */
  get left(): Cursor {
    return this.#left ?? this.#inner.position;
  }

  get topic(): string {
    return this.#inner.topic;
  }

  get position(): Cursor {
    return this.#seen(this.left);
  }

  get live(): boolean {
    return this.#inner.live;
  }

  start(subscriber: Subscriber): void {
    this.#inner.start({
      get ready() {
        return subscriber.ready;
      },
      deliver: (batch) => subscriber.deliver(this.#batch(batch), this),
      gap: (gap) => subscriber.gap(this.#gap(gap), this),
      caughtUp: () => subscriber.caughtUp(this),
    });
  }

  resume(): void {
    this.#inner.resume();
  }

  close(): void {
    this.#left ??= this.#inner.position;
    this.#inner.close();
  }

  #seen({ epoch, seq }: Cursor): Cursor {
    return { epoch: viewEpoch(epoch, this.#view), seq };
  }

  #batch(batch: EventBatch): EventBatch {
    let seen = this.#batches.get(batch);
    if (seen === undefined) {
      const { topic, epoch, after, last, events } = batch;
      seen = new EventBatch(topic, viewEpoch(epoch, this.#view), after, last, events);
      this.#batches.set(batch, seen);
    }
    return seen;
  }

  /** `requested` is what the reader came with, in its own words already unless the log made it up. */
  #gap(gap: Gap): Gap {
    const seen = (text: string) => {
      const cursor = parseCursor(text);
      return cursor === undefined ? text : formatCursor(this.#seen(cursor));
    };
    return { ...gap, requested: seen(gap.requested), oldest: seen(gap.oldest), latest: seen(gap.latest) };
  }
}
