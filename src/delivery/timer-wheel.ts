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
  #origin: number;
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
    const slot = this.#slots.get(place);
    if (slot?.delete(item) && slot.size === 0) this.#slots.delete(place);
  }

  /** The first tick at or after a time (ms since 1970). */
  tickAt(time: number): number {
    return Math.ceil((time - this.#origin) / TICK_MS);
  }

  /** Looks at all that is due by now; what was missed while the timer was late is made up for once, not tick by tick. */
  advance(): void {
    const until = Math.floor((this.#clock() - this.#origin) / TICK_MS);
    const last = Math.max(until, this.now + 1);
    // A clock that is set back must not stop the heartbeats, nor end tokens early: ticks go on, and times are reckoned anew.
    if (until < this.now - 1) this.#origin = this.#clock() - last * TICK_MS;
    const late = last > this.now + 1;
    this.now = last;
    const due = late ? [...this.#slots.keys()].filter((tick) => tick <= last).sort((a, b) => a - b) : [last];
    for (const tick of due) {
      for (const item of this.#slots.get(tick) ?? []) this.#look(item);
      this.#slots.delete(tick);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#slots.clear();
    this.#places.clear();
  }

  #look(item: Due): void {
    this.cancel(item);
    try {
      const next = item.onDue(this.now);
      if (next !== undefined) this.schedule(item, next);
    } catch (error) {
      this.#onFault(error);
    }
  }
}
