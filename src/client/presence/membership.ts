/** A member's lease: kept as long as somebody wants it, whatever happens to the network (protocol section 5). */

import { endOf, isFinal } from '../connection/answers.ts';
import { backoff, LONGEST_ASKED_MS } from '../connection/backoff.ts';
import type { Request } from '../request.ts';
import { createThrottle } from './throttle.ts';

export type MembershipState =
  | { readonly kind: 'joining' }
  | { readonly kind: 'present' }
  /** The server refuses, by a code of protocol section 7: without the right, or the name is another's. */
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'left' };

export interface Membership {
  readonly member: string;
  readonly state: MembershipState;
  /** Tells the others another state: any JSON value, of at most 4 KiB. Not more often than every 200 ms, the newest. */
  update(state: unknown): void;
  /** Leaves. Without it the lease ends by itself. */
  leave(): void;
}

export interface MembershipContext {
  readonly request: Request;
  readonly clock: () => number;
  readonly random: () => number;
  /** Whether nobody sees the page: its timers are slow then. */
  readonly hidden: () => boolean;
  readonly onChange: () => void;
}

/** In s. A page that nobody sees may have to wait a minute for its timers. */
const TTL_S = 45;
const HIDDEN_TTL_S = 150;
const UPDATE_EVERY_MS = 200;

export interface HeldMembership extends Membership {
  /** Renews now: the connection is back, or the page is shown or hidden. */
  renew(): void;
}

export function createMembership(
  topic: string,
  member: string,
  first: unknown,
  { request, clock, random, hidden, onChange }: MembershipContext,
): HeldMembership {
  const path = `/v1/presence/${encodeURIComponent(topic)}/${encodeURIComponent(member)}`;
  let state: MembershipState = { kind: 'joining' };
  let told = first;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;
  let again = false;

  function enter(next: MembershipState): void {
    if (state.kind === next.kind) return;
    state = next;
    onChange();
  }

  async function put(): Promise<void> {
    again = busy;
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    const ttl = hidden() ? HIDDEN_TTL_S : TTL_S;
    const answer = await request('PUT', path, { body: { state: told, ttl } });
    busy = false;
    if (state.kind === 'left') return;
    if (answer.kind === 'ok') {
      failures = 0;
      timer = setTimeout(() => void put(), (ttl / 3) * 1000);
      enter({ kind: 'present' });
    } else {
      const { trouble, retryAfter = 0 } = endOf(answer, []);
      if (isFinal(trouble)) enter({ kind: 'refused', code: trouble.code });
      else {
        failures += 1;
        timer = setTimeout(() => void put(), Math.min(retryAfter, LONGEST_ASKED_MS) + backoff(failures, random));
      }
    }
    // What was told meanwhile is told after it.
    if (again) void put();
  }

  const throttle = createThrottle<void>(UPDATE_EVERY_MS, clock, () => void put());
  void put();

  return {
    member,
    get state() {
      return state;
    },
    update(next) {
      told = next;
      if (state.kind !== 'left') throttle.send();
    },
    renew() {
      if (state.kind !== 'left') void put();
    },
    leave() {
      if (state.kind === 'left') return;
      clearTimeout(timer);
      throttle.cancel();
      enter({ kind: 'left' });
      // Also when the page is going: the request outlives it.
      void request('DELETE', path, { keepalive: true });
    },
  };
}
