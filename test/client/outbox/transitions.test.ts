import { describe, expect, it } from 'vitest';
import type { Kept } from '../../../src/client/outbox/store.ts';
import { claim, conclude, discard, RESEND_MS, revive } from '../../../src/client/outbox/transitions.ts';
import { refused } from './model-server.ts';
import { mutationOf, patch, publish } from './mutations.ts';

const sentOf = (members: Partial<Kept> = {}) =>
  mutationOf(publish(), { state: 'in-flight', attempts: 1, sent: 1000, ...members });
const answer = { version: 4, body: { text: 'x', version: 4 }, merged: false };
const problemOf = (code: Parameters<typeof refused>[0]) => {
  const refusal = refused(code);
  if (refusal.kind !== 'refused') throw new Error('not refused');
  return { kind: 'refused', problem: refusal.problem } as const;
};

describe('claiming', () => {
  it('takes the first of a lane, and remembers when it was first sent', () => {
    const first = mutationOf(publish());
    expect(claim(first, [mutationOf(publish('b')), first, mutationOf(publish())], 1000)).toEqual({
      ...first,
      state: 'in-flight',
      attempts: 1,
      sent: 1000,
    });
    const again = sentOf();
    expect(claim(again, [again], 2000)).toMatchObject({ state: 'in-flight', attempts: 2, sent: 1000 });
  });

  it('takes nothing that is not the first, or not there any more', () => {
    const [first, second] = [mutationOf(publish()), mutationOf(publish())];
    expect(claim(second, [first, second], 0)).toBeUndefined();
    expect(claim(second, [{ ...first, state: 'dead' }, second], 0)).toBeDefined();
    expect(claim(undefined, [second], 0)).toBeUndefined();
    const done = sentOf({ state: 'acknowledged' });
    expect(claim(done, [done], 0)).toBeUndefined();
  });

  it('lets die what may have been applied so long ago that the server has forgotten', () => {
    const old = sentOf();
    expect(claim(old, [old], 1000 + RESEND_MS)?.state).toBe('in-flight');
    const dead = { state: 'dead', refusal: { kind: 'uncertain' }, sent: 1000 };
    expect(claim(old, [old], 1001 + RESEND_MS)).toMatchObject(dead);
    // A clock that was set back by days tells nothing.
    expect(claim(old, [old], 999 - RESEND_MS)).toMatchObject(dead);
  });

  it('does not mind how long something waited that was never sent', () => {
    const waiting = mutationOf(publish());
    expect(claim(waiting, [waiting], 100 * RESEND_MS)?.state).toBe('in-flight');
  });
});

describe('an attempt that has come to its end', () => {
  const applied = { state: 'acknowledged', answer, refusal: undefined } as const;

  it('changes the mutation', () => {
    const sent = sentOf();
    expect(conclude(sent, { state: 'pending' })(sent, [])).toEqual({ ...sent, state: 'pending' });
    expect(conclude(sent, applied)(sent, [])).toEqual({ ...sent, ...applied });
  });

  it('is proof of an answer, also where another tab is at another attempt or has given it up', () => {
    const sent = sentOf();
    expect(conclude(sent, applied)({ ...sent, attempts: 5, seq: 99 }, [])).toMatchObject(applied);
    const dead = { ...sent, seq: 99, state: 'dead', refusal: { kind: 'uncertain' } } as const;
    expect(conclude(sent, applied)(dead, [])).toMatchObject(applied);
  });

  it('is that once, and not of another revision, or of what is not there any more', () => {
    const sent = sentOf();
    expect(conclude(sent, applied)({ ...sent, ...applied }, [])).toBeUndefined();
    expect(conclude(sent, applied)({ ...sent, revision: 1 }, [])).toBeUndefined();
    expect(conclude(sent, applied)(undefined, [])).toBeUndefined();
  });

  it('means nothing else when another tab has changed the mutation since', () => {
    const sent = sentOf();
    expect(conclude(sent, { state: 'dead' })({ ...sent, seq: 99 }, [])).toBeUndefined();
  });
});

describe('discarding', () => {
  it('takes a dead letter, and what was never sent; nothing that may have been applied', () => {
    const takes = (members: Partial<Kept>) => discard(mutationOf(publish(), members), [])?.gone === 'discarded';
    expect(takes({})).toBe(true);
    expect(takes({ state: 'dead', sent: 1 })).toBe(true);
    expect(takes({ sent: 1 })).toBe(false);
    expect(takes({ state: 'in-flight', sent: 1 })).toBe(false);
    expect(takes({ state: 'acknowledged', sent: 1 })).toBe(false);
    expect(discard(undefined, [])).toBeUndefined();
  });
});

describe('a dead letter that is sent again', () => {
  const dead = (members: Partial<Kept> = {}) =>
    mutationOf(publish(), { state: 'dead', refusal: problemOf('forbidden'), attempts: 1, ...members });

  it('has the same key, which protects it if it was applied after all', () => {
    for (const letter of [dead(), dead({ sent: 1000, refusal: { kind: 'uncertain' } })])
      expect(revive(1000 + RESEND_MS)(letter, [])).toEqual({ ...letter, state: 'pending', refusal: undefined });
  });

  it('has another key where the old one is worth nothing any more', () => {
    const old = dead({ sent: 1000, refusal: { kind: 'uncertain' } });
    const used = dead({ refusal: problemOf('idempotency-mismatch') });
    const renewed = { state: 'pending', revision: 1, sent: undefined, refusal: undefined };
    for (const letter of [old, used]) expect(revive(1001 + RESEND_MS)(letter, [])).toMatchObject(renewed);
  });

  it('is another request when it was edited, of the lane that it belongs to now', () => {
    const letter = dead();
    const edited = { write: patch({ text: 'y' }, 4), lane: '/v1/collections/notes/1', base: 4 };
    expect(revive(0, edited)(letter, [])).toMatchObject({
      ...edited,
      state: 'pending',
      revision: 1,
      order: letter.order,
    });
  });

  it('has to be one', () => {
    expect(revive(0)(mutationOf(publish()), [])).toBeUndefined();
    expect(revive(0)(undefined, [])).toBeUndefined();
  });
});
