/**
 * Bounds on what one caller may do: writes a second and open streams, by subject and by address. Counted on this node.
 *
 * Writes are metered by the generic cell rate algorithm: a caller may use a second's worth at once, and then one for every
 * interval. It keeps one number a caller, in a map that holds at most `MAX_CALLERS`; beyond that the oldest are forgotten, who
 * then begin afresh.
 */
import type { Principal } from '../auth/principal.ts';

export interface CallerLimits {
  readonly streamsPerSubject?: number | undefined;
  readonly streamsPerAddress?: number | undefined;
  /** Publish requests a second. */
  readonly writesPerSubject?: number | undefined;
  readonly writesPerAddress?: number | undefined;
}

export const DEFAULT_CALLER_LIMITS: CallerLimits = {
  streamsPerSubject: 100,
  streamsPerAddress: 1000,
  writesPerSubject: 1000,
  writesPerAddress: 5000,
};

const MAX_CALLERS = 100_000;

export type WriteVerdict = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

export interface CallerLimiter {
  /** Counts a write, unless it is refused. Administrators are not metered. */
  write(principal: Principal, address: string | undefined): WriteVerdict | Promise<WriteVerdict>;
  /** Counts a stream until `release` is called; `undefined` when there are too many. */
  stream(principal: Principal, address: string | undefined): { readonly release: () => void } | undefined;
}

/** One that counts by itself. */
export interface LocalCallerLimiter extends CallerLimiter {
  write(principal: Principal, address: string | undefined): WriteVerdict;
}

/** @param clock ms, monotonic */
export function createCallerLimiter(
  limits: CallerLimits,
  clock: () => number = () => performance.now(),
): LocalCallerLimiter {
  const bySubject = createMeter(limits.writesPerSubject, clock);
  const byAddress = createMeter(limits.writesPerAddress, clock);
  const subjectStreams = createCounter(limits.streamsPerSubject);
  const addressStreams = createCounter(limits.streamsPerAddress);
  return {
    write(principal, address) {
      if (principal.grants.admin) return { ok: true };
      const wait = Math.max(bySubject.wait(principal.sub), byAddress.wait(address));
      if (wait > 0) return { ok: false, retryAfterMs: wait };
      bySubject.count(principal.sub);
      byAddress.count(address);
      return { ok: true };
    },
    stream(principal, address) {
      if (principal.grants.admin) return { release: () => undefined };
      const { sub } = principal;
      if (subjectStreams.full(sub) || addressStreams.full(address)) return undefined;
      subjectStreams.add(sub, 1);
      addressStreams.add(address, 1);
      let held = true;
      return {
        release() {
          if (!held) return;
          held = false;
          subjectStreams.add(sub, -1);
          addressStreams.add(address, -1);
        },
      };
    },
  };
}

function createMeter(perSecond: number | undefined, clock: () => number) {
  /** When each caller's allowance will be whole again, in the order of last use. */
  const whole = new Map<string, number>();
  const interval = perSecond === undefined ? 0 : 1000 / perSecond;
  return {
    /** Milliseconds until `caller` may go on; 0 now. */
    wait(caller: string | undefined): number {
      if (perSecond === undefined || caller === undefined) return 0;
      return Math.max(0, (whole.get(caller) ?? 0) + interval - 1000 - clock());
    },
    count(caller: string | undefined): void {
      if (perSecond === undefined || caller === undefined) return;
      const next = Math.max(whole.get(caller) ?? 0, clock()) + interval;
      whole.delete(caller);
      whole.set(caller, next);
      if (whole.size > MAX_CALLERS) forgetOldest(whole);
    },
  };
}

function createCounter(most: number | undefined) {
  const counts = new Map<string, number>();
  return {
    full: (caller: string | undefined) =>
      most !== undefined && caller !== undefined && (counts.get(caller) ?? 0) >= most,
    /** Open streams are bounded by the connections there are, and so is this map. */
    add(caller: string | undefined, change: number): void {
      if (caller === undefined) return;
      const count = (counts.get(caller) ?? 0) + change;
      if (count > 0) counts.set(caller, count);
      else counts.delete(caller);
    },
  };
}

function forgetOldest(map: Map<string, unknown>): void {
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
