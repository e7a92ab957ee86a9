/**
 * Captures whose changes wait, because one of them is unreadable: to pass over it would be to lose it, and the changes of other tables
 * are not to wait for it. Each is tried again, with growing pauses.
 */

/** Pauses in ms: the first, twice as long each time, and the longest. */
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

interface Held {
  readonly until: number;
  readonly pauseMs: number;
}

export class HeldCaptures {
  readonly #clock: () => number;
  readonly #held = new Map<number, Held>();

  /** @param clock milliseconds that only go forward */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Whether the capture's changes wait now. */
  has(capture: number): boolean {
    return (this.#held.get(capture)?.until ?? 0) > this.#clock();
  }

  /** Has a capture's changes wait. @returns for how many ms */
  hold(capture: number): number {
    const pauseMs = Math.min(2 * (this.#held.get(capture)?.pauseMs ?? FIRST_MS / 2), LONGEST_MS);
    this.#held.set(capture, { until: this.#clock() + pauseMs, pauseMs });
    return pauseMs;
  }

  /** The captures were all moved: nothing waits of those that were tried. */
  moved(captures: Iterable<number>): void {
    for (const capture of captures) this.#held.delete(capture);
  }
}
