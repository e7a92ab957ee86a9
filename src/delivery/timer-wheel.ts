/**
 * One timer for everything that is due in whole seconds: heartbeats, tokens that end, graces. Each item is in the slot of the
 * tick at which it wants to be looked at; being looked at costs it nothing in between, and no item has a timer of its own.
 */

/** Something that is due at times. */
export interface Due {
  /** Called at the tick that was asked for. @returns the tick of the next look, or `undefined` for none */
  onDue(tick: number): number | undefined;
}

export const TICK_MS = 1000;

export class TimerWheel {
  readonly #slots = new Map<number, Set<Due>>();
  readonly #places = new Map<Due, number>();
  readonly #onFault: (error: unknown) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #clock: () => number;
  readonly #origin: number;
  /** Ticks since the wheel was made. */
  now = 0;

  /** @param clock ms since 1970; ticks follow it even when the timer is late */
  constructor(onFault: (error: unknown) => void, clock: () => number = Date.now) {
    this.#onFault = onFault;
    this.#clock = clock;
    this.#origin = clock();
    this.#timer = setInterval(() => this.advance(), TICK_MS);
  }

  /** Asks for a look at `tick` (not before the next one); an earlier wish of the same item is forgotten. */
  schedule(item: Due, tick: number): void {
    this.cancel(item);
    const at = Math.max(tick, this.now + 1);
    let slot = this.#slots.get(at);
    if (slot === undefined) {
      slot = new Set();
      this.#slots.set(at, slot);
    }
    slot.add(item);
    this.#places.set(item, at);
  }

  cancel(item: Due): void {
    const place = this.#places.get(item);
    if (place === undefined) return;
    this.#places.delete(item);
    this.#slots.get(place)?.delete(item);
  }

  /** The first tick at or after a time (ms since 1970). */
  tickAt(time: number): number {
    return Math.ceil((time - this.#origin) / TICK_MS);
  }

  /** Looks at all that is due by now. */
  advance(): void {
    const until = Math.floor((this.#clock() - this.#origin) / TICK_MS);
    // A clock that is set back must not stop the heartbeats.
    const last = Math.max(until, this.now + 1);
    while (this.now < last) {
      this.now += 1;
      const slot = this.#slots.get(this.now);
      if (slot === undefined) continue;
      this.#slots.delete(this.now);
      for (const item of slot) this.#look(item);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#slots.clear();
    this.#places.clear();
  }

  #look(item: Due): void {
    this.#places.delete(item);
    try {
      const next = item.onDue(this.now);
      if (next !== undefined) this.schedule(item, next);
    } catch (error) {
      this.#onFault(error);
    }
  }
}
