/**
 * What can happen to a mutation: given the mutation as the store has it, what becomes of it. Where the store has it otherwise than was
 * expected, because another tab was faster, nothing happens.
 */
import { IDEMPOTENCY_MS } from '../../protocol/limits.ts';
import type { Mutation } from '../mutation.ts';
import { isWaiting } from './lanes.ts';
import type { Decide, Draft } from './ledger.ts';
import type { Kept } from './store.ts';

/** How long after it was first sent a mutation is sent again: an hour less than the server remembers its key. */
export const RESEND_MS = IDEMPOTENCY_MS - 60 * 60 * 1000;

/** Takes a mutation to send it, if it is the next of its lane; one whose key the server may have forgotten dies instead. */
export function claim(found: Kept | undefined, all: readonly Kept[], now: number): Draft | undefined {
  if (!found || all.find((each) => each.lane === found.lane && isWaiting(each)) !== found) return undefined;
  if (isStale(found, now)) return { ...found, state: 'dead', refusal: { kind: 'uncertain' } };
  return { ...found, state: 'in-flight', attempts: found.attempts + 1, sent: found.sent ?? now };
}

/**
 * An attempt has come to its end. That it was applied is proof however old the attempt is, and also where another tab has given it up.
 * Anything else counts only if it is still the same attempt.
 */
export function conclude({ revision, seq }: Kept, members: Partial<Kept>): Decide {
  return (found) => {
    const isDue = members.answer ? found?.revision === revision && !found.answer : found?.seq === seq;
    return found && isDue ? { ...found, ...members } : undefined;
  };
}

/** Gives up a dead letter, or what was never sent. */
export const discard: Decide = (found) =>
  found && (found.state === 'dead' || (found.state === 'pending' && found.sent === undefined))
    ? { ...found, gone: 'discarded' }
    : undefined;

/**
 * A dead letter is to be sent again. Under the same key, as long as that protects it from being applied twice.
 * @param edited in its place
 */
export function revive(now: number, edited?: Pick<Kept, 'write' | 'lane' | 'base'>): Decide {
  return (found) => {
    if (found?.state !== 'dead') return undefined;
    const isUsed = found.refusal?.problem?.code === 'idempotency-mismatch';
    return {
      ...found,
      ...edited,
      ...(edited || isUsed || isStale(found, now) ? renewed(found) : WAITING),
    };
  };
}

const WAITING = { state: 'pending', refusal: undefined } as const;

/** Makes another request of it, with another key. */
export function renewed({ revision }: Mutation) {
  return { ...WAITING, revision: revision + 1, sent: undefined };
}

/** A clock that was set back says nothing of how old it is, unless by little. */
function isStale({ sent }: Mutation, now: number): boolean {
  return sent !== undefined && Math.abs(now - sent) > RESEND_MS;
}
