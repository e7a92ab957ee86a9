/** What the processes of the load generator share: one clock, and the mark that makes a delivery countable. */

/**
 * Every published event holds this byte once, and nothing else on the wire does: not the headers, not the framing, not an id.
 * Counting deliveries is counting one byte, which cannot be split between two reads.
 */
export const MARK = '~';
export const MARK_BYTE = 0x7e;

/** Digits of the time that follows a mark: microseconds, good for 300 years of uptime. */
export const TIME_DIGITS = 16;

/** Microseconds of the machine's monotonic clock, the same in every process. */
export function microseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/** The mark and the time, as they stand in an event's data. */
export function stamp(time: number): string {
  return MARK + String(Math.floor(time)).padStart(TIME_DIGITS, '0');
}

/** A distribution of times, in milliseconds. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

/** Summarises times in microseconds. */
export function spread(times: Float64Array): Spread {
  const sorted = times.slice().sort();
  const at = (share: number): number => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0) / 1000;
  return { p50: at(0.5), p99: at(0.99), max: at(1), samples: sorted.length };
}
