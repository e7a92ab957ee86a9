/** How long to wait before trying again: 0.25 s, doubling up to 10 s, with jitter so that many clients do not come at once. */

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

export interface Backoff {
  /**
   * The next wait in milliseconds.
   * @param askedMs what the server asked for (`Retry-After`, `retry`): never less than this is waited
   */
  next(askedMs?: number): number;
  /** Begins again: the server answered. */
  reset(): void;
}

/** `random` gives numbers from 0 up to 1; half of each wait is left to it. */
export function createBackoff(random: () => number): Backoff {
  let attempt = 0;
  return {
    next(askedMs = 0) {
      const ceiling = Math.min(FIRST_MS * 2 ** attempt, LONGEST_MS);
      attempt = Math.min(attempt + 1, 16);
      return Math.round(Math.max(askedMs, ceiling * (0.5 + random() / 2)));
    },
    reset() {
      attempt = 0;
    },
  };
}
