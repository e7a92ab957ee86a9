/** The newest events of a topic, kept at hand so that readers who are nearly there need not ask the log. */
import type { LogEvent } from '../protocol/event-batch.ts';

export interface RingLimits {
  readonly events: number;
  /** In characters of bodies. */
  readonly size: number;
}

export const RING_LIMITS: RingLimits = { events: 2048, size: 1024 * 1024 };

/** Holds every event of (`after`, `last`] that exists. Beyond its limits the oldest half goes. */
export class Ring {
  readonly #limits: RingLimits;
  #events: LogEvent[] = [];
  #size = 0;
  #after: number;

  /** @param after where it begins: nothing up to this seq is held */
  constructor(after: number, limits: RingLimits = RING_LIMITS) {
    this.#after = after;
    this.#limits = limits;
  }

  /** Adds events that follow on what is held. */
  push(events: readonly LogEvent[]): void {
    for (const event of events) {
      this.#events.push(event);
      this.#size += event.size;
    }
    if (this.#events.length <= this.#limits.events && this.#size <= this.#limits.size) return;
    // Dropping by halves keeps the cost of dropping small for every event.
    let count = 0;
    const { events: most, size } = this.#limits;
    while (this.#events.length - count > most / 2 || (this.#size > size / 2 && count < this.#events.length)) {
      this.#size -= this.#events[count]?.size ?? 0;
      count += 1;
    }
    this.#after = this.#events[count - 1]?.seq ?? this.#after;
    this.#events = this.#events.slice(count);
  }

  /** What is held after `seq`, at most `limit` events; `undefined` when some of it is no longer held. */
  after(seq: number, limit: number): readonly LogEvent[] | undefined {
    if (seq < this.#after) return undefined;
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.seq ?? 0) > seq) high = middle;
      else low = middle + 1;
    }
    return this.#events.slice(low, low + limit);
  }

  /** Forgets everything and begins again after `seq`. */
  restart(seq: number): void {
    this.#events = [];
    this.#size = 0;
    this.#after = seq;
  }
}
