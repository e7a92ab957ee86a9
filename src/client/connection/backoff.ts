/** How long to wait before trying again. */

/** The longest that anybody may ask us to wait, in ms: who asks for more may not be the server at all. */
export const LONGEST_ASKED_MS = 600_000;

const LONGEST_MS = 30_000;

/**
 * Full jitter: anything from 0 to 1, 2, 4, 8, 16, 30 s, so that clients that were cut together do not come back together.
 *
 * @param failures how many attempts in a row have failed, from 1
 * @param random 0 to 1, 1 excluded
 * @returns ms
 */
export function backoff(failures: number, random: () => number): number {
  return Math.round(random() * Math.min(500 * 2 ** Math.max(failures, 1), LONGEST_MS));
}
