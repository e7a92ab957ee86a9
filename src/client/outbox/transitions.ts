/**
 * What can happen to a mutation, each as a {@link LaneChange}: given the mutations of its lane as the store has them, what becomes of them.
 * Where the store has it otherwise than was expected, because another tab was faster, nothing happens.
 */
import { IDEMPOTENCY_MS } from '../../protocol/limits.ts';
import {
  type Mutation,
  type MutationAnswer,
  type MutationChange,
  type MutationRefusal,
  mutationKey,
  type Write,
} from '../mutation.ts';
import { isWaiting, laneOf } from './lanes.ts';
import { rebase } from './rebase.ts';
import type { LaneChange } from './store.ts';

/** How long after it was first sent a mutation is sent again: an hour less than the server remembers its key. */
export const RESEND_MS = IDEMPOTENCY_MS - 60 * 60 * 1000;

/** Takes a mutation to send it, if it is the next of its lane; one whose key the server may have forgotten dies instead. */
export function claim(id: string, now: number): LaneChange {
  return (lane) => {
    const found = lane.find(isWaiting);
    if (found?.id !== id) return [];
    if (isStale(found, now)) return [changed(found, { state: 'dead', refusal: { kind: 'uncertain' } })];
    const before = lane.filter(({ state, order }) => state === 'acknowledged' && order < found.order);
    // What was sent must not be changed: the server would refuse the key.
    const write = found.sent === undefined ? before.reduce(rebase, found.write) : found.write;
    return [changed(found, { write, state: 'in-flight', attempts: found.attempts + 1, sent: found.sent ?? now })];
  };
}

/** It was applied. What waits behind it, and was made on top of it, is based on its version from now on. @param settled whether nobody needs it any more */
export function acknowledge({ id, revision }: Mutation, answer: MutationAnswer, settled: boolean): LaneChange {
  return (lane) => {
    const found = lane.find((mutation) => mutation.id === id && mutation.revision === revision);
    // Proof counts however old the attempt is, and also where another tab has given it up.
    if (found === undefined || found.state === 'acknowledged') return [];
    const done: Mutation = { ...found, state: 'acknowledged', answer, refusal: undefined };
    const first = settled ? gone(done, 'settled') : changed(done, {});
    const behind = lane.filter(
      ({ state, sent, order }) => state === 'pending' && sent === undefined && order > found.order,
    );
    const rebased = behind.flatMap((mutation) => {
      const write = rebase(mutation.write, done);
      return write === mutation.write ? [] : [changed(mutation, { write })];
    });
    return [first, ...rebased];
  };
}

/** It is to be sent again. @param refused whether the server has not applied it, as is known */
export function release(claimed: Mutation, refused: boolean): LaneChange {
  return each(isAttempt(claimed), (found) =>
    changed(found, { state: 'pending', sent: refused ? undefined : found.sent }),
  );
}

export function bury(claimed: Mutation, refusal: MutationRefusal): LaneChange {
  return each(isAttempt(claimed), (found) =>
    changed(found, { state: 'dead', refusal, sent: refusal.kind === 'refused' ? undefined : found.sent }),
  );
}

/** A conflict was decided: by another write, which is another request with another key, or for the server's side. */
export function decide(claimed: Mutation, write: Write | undefined): LaneChange {
  return each(isAttempt(claimed), (found) =>
    write === undefined ? gone(found, 'discarded') : changed(found, { ...renewed(found), write }),
  );
}

/** The stream has shown it, or a list has. That is proof also of what was thought to be uncertain. */
export function settle(key: string): LaneChange {
  return each(
    (mutation) =>
      mutationKey(mutation) === key && (mutation.state === 'acknowledged' || mutation.refusal?.kind === 'uncertain'),
    (found) => gone(found, 'settled'),
  );
}

/** Gives up a dead letter, or what was never sent. */
export function discard(id: string): LaneChange {
  return each(
    (mutation) =>
      mutation.id === id &&
      (mutation.state === 'dead' || (mutation.state === 'pending' && mutation.sent === undefined)),
    (found) => gone(found, 'discarded'),
  );
}

/**
 * A dead letter is to be sent again. Under the same key, as long as that protects it from being applied twice.
 * @param edited in its place
 */
export function revive(id: string, now: number, edited?: Write): LaneChange {
  return each(
    (mutation) => mutation.id === id && mutation.state === 'dead',
    (found) => {
      if (edited !== undefined) return changed(found, { ...renewed(found), write: edited, lane: laneOf(edited, id) });
      const isUsed = found.refusal?.problem?.code === 'idempotency-mismatch';
      return changed(found, isUsed || isStale(found, now) ? renewed(found) : WAITING);
    },
  );
}

const WAITING = { state: 'pending', refusal: undefined } as const;

function renewed({ revision }: Mutation): Partial<Mutation> {
  return { ...WAITING, revision: revision + 1, sent: undefined };
}

/** A clock that was set back says nothing of how old it is, unless by little. */
function isStale({ sent }: Mutation, now: number): boolean {
  return sent !== undefined && Math.abs(now - sent) > RESEND_MS;
}

/** Whether it is still the same attempt. Another tab may have made another one since, while this one was frozen. */
function isAttempt({ id, revision, attempts }: Mutation): (mutation: Mutation) => boolean {
  return (mutation) =>
    mutation.id === id &&
    mutation.revision === revision &&
    mutation.attempts === attempts &&
    mutation.state === 'in-flight';
}

function each(is: (mutation: Mutation) => boolean, change: (found: Mutation) => MutationChange): LaneChange {
  return (lane) => lane.filter(is).map(change);
}

function changed(mutation: Mutation, members: Partial<Mutation>): MutationChange {
  return { kind: 'changed', mutation: { ...mutation, ...members } };
}

function gone(mutation: Mutation, why: 'settled' | 'discarded'): MutationChange {
  return { kind: 'gone', mutation, why };
}
