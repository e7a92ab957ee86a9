/** How long to wait before the next attempt, and who may cut it short. */

/** The longest wait of our own, in ms. */
const LONGEST_MS = 30_000;
/** The longest that anybody may ask us to wait, in ms: who asks for more may not be the server at all. */
const LONGEST_TOLD_MS = 600_000;

export interface Backoff {
  /** When the next attempt may begin, in ms since 1970: at once, unless something failed. */
  readonly until: number;
  /** Counts a failure. @param after what the server asked for, in ms */
  fail(now: number, after: number | undefined): void;
  /** Lets the next attempt begin at once, unless the server has asked to wait. */
  hurry(): void;
  /** Forgets the failures: something went well. What the server has asked for still holds. */
  succeed(): void;
}

/**
 * Waits of up to 1, 2, 4 … 30 seconds, each of a random length (full jitter), so that clients that failed together do not come back
 * together.
 */
export function createBackoff(random: () => number): Backoff {
  let failures = 0;
  let until = 0;
  let told = false;
  function hurry(): void {
    if (!told) until = 0;
  }

  return {
    get until() {
      return until;
    },
    fail(now, after) {
      if (after !== undefined) {
        told = true;
        until = Math.max(until, now + Math.min(LONGEST_TOLD_MS, after));
      } else if (now >= until) {
        // What fails while we wait had begun before, and counts no more.
        told = false;
        until = now + random() * Math.min(LONGEST_MS, 1000 * 2 ** failures);
        failures += 1;
      }
    },
    hurry,
    succeed() {
      failures = 0;
      hurry();
    },
  };
}
