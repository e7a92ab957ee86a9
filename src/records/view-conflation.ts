/** What a reader of a view is not told yet, because it wants at most one event a key in an interval (protocol section 2). */
import { CONFLATION_RUN } from '../broker/broker.ts';
import type { Cursor } from '../protocol/cursor.ts';
import { EventBatch, type LogEvent } from '../protocol/event-batch.ts';

export class ViewConflation {
  readonly #intervalMs: number;
  readonly #pass: (batch: EventBatch) => void;
  /** The newest event of each key, at most `CONFLATION_RUN`: with more they are passed on at once. */
  readonly #kept = new Map<string, LogEvent>();
  #from: Cursor | undefined;
  #last: EventBatch | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param pass takes what is due */
  constructor(intervalMs: number, pass: (batch: EventBatch) => void) {
    this.#intervalMs = intervalMs;
    this.#pass = pass;
  }

  /** The position before what is kept back; `undefined` when nothing is. */
  get from(): Cursor | undefined {
    return this.#from;
  }

  /** The first after a quiet interval goes on at once; the others wait for its end. */
  take(batch: EventBatch): void {
    if (this.#timer === undefined) {
      this.#wait();
      this.#pass(batch);
      return;
    }
    this.#from ??= { epoch: batch.epoch, seq: batch.after };
    this.#last = batch;
    for (const event of batch.events) this.#kept.set(event.key ?? '', event);
    if (this.#kept.size > CONFLATION_RUN) this.#release();
  }

  /** Forgets what is kept: its reader is told otherwise. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#kept.clear();
    this.#from = undefined;
    this.#last = undefined;
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#last === undefined) return;
      this.#wait();
      this.#release();
    }, this.#intervalMs);
  }

  #release(): void {
    const [from, last] = [this.#from, this.#last];
    const events = [...this.#kept.values()].sort((a, b) => a.seq - b.seq);
    this.#kept.clear();
    this.#from = undefined;
    this.#last = undefined;
    if (from !== undefined && last !== undefined)
      this.#pass(new EventBatch(last.topic, last.epoch, from.seq, last.last, events));
  }
}
