import { describe, expect, it } from 'vitest';
import type { Mutation, MutationChange, Write } from '../../../src/client/mutation.ts';
import {
  acknowledge,
  bury,
  claim,
  decide,
  discard,
  RESEND_MS,
  release,
  revive,
  settle,
} from '../../../src/client/outbox/transitions.ts';
import { refused } from './model-server.ts';
import { mutationOf, patch, publish, remove, replace } from './mutations.ts';

const one = (changes: readonly MutationChange[]): Mutation => {
  expect(changes).toHaveLength(1);
  return changes[0]!.mutation;
};
const sentOf = (write: Write, members: Partial<Mutation> = {}) =>
  mutationOf(write, { state: 'in-flight', attempts: 1, sent: 1000, ...members });
const answer = { version: 4, body: { text: 'x', version: 4 }, merged: false };
const problemOf = (code: Parameters<typeof refused>[0]) => {
  const refusal = refused(code);
  if (refusal.kind !== 'refused') throw new Error('not refused');
  return { kind: 'refused', problem: refusal.problem } as const;
};

describe('claiming', () => {
  it('takes the first of a lane, and remembers when it was first sent', () => {
    const first = mutationOf(publish());
    const claimed = one(claim(first.id, 1000)([first, mutationOf(publish())]));
    expect(claimed).toMatchObject({ id: first.id, state: 'in-flight', attempts: 1, sent: 1000 });
    expect(one(claim(first.id, 2000)([claimed]))).toMatchObject({ attempts: 2, sent: 1000 });
  });

  it('takes nothing that is not the first, or not there any more', () => {
    const [first, second] = [mutationOf(publish()), mutationOf(publish())];
    expect(claim(second.id, 0)([first, second])).toEqual([]);
    expect(claim(second.id, 0)([{ ...first, state: 'dead' }, second])).toHaveLength(1);
    expect(claim(first.id, 0)([second])).toEqual([]);
    expect(claim(first.id, 0)([{ ...first, state: 'acknowledged' }])).toEqual([]);
  });

  it('lets die what may have been applied so long ago that the server has forgotten', () => {
    const old = sentOf(publish());
    expect(one(claim(old.id, 1000 + RESEND_MS)([old])).state).toBe('in-flight');
    const dead = { state: 'dead', refusal: { kind: 'uncertain' }, sent: 1000 };
    expect(one(claim(old.id, 1001 + RESEND_MS)([old]))).toMatchObject(dead);
    // A clock that was set back by days tells nothing.
    expect(one(claim(old.id, 999 - RESEND_MS)([old]))).toMatchObject(dead);
  });

  it('does not mind how long something waited that was never sent', () => {
    const waiting = mutationOf(publish());
    expect(one(claim(waiting.id, 100 * RESEND_MS)([waiting])).state).toBe('in-flight');
  });

  it('bases it on what was acknowledged before it, and is not yet seen', () => {
    const before = sentOf(patch({ text: 'x' }, 3), { state: 'acknowledged', answer });
    const second = mutationOf(patch({ text: 'y' }, 3));
    expect(one(claim(second.id, 0)([before, second])).write).toEqual(patch({ text: 'y' }, 4));
  });

  it('never changes what was sent', () => {
    const before = sentOf(patch({ text: 'x' }, 3), { state: 'acknowledged', answer });
    const second = sentOf(patch({ text: 'y' }, 3), { state: 'pending' });
    expect(one(claim(second.id, 2000)([before, second])).write).toEqual(second.write);
  });
});

describe('an acknowledgement', () => {
  it('keeps the answer until somebody has seen it, or nothing', () => {
    const sent = sentOf(publish());
    expect(acknowledge(sent, answer, false)([sent])).toMatchObject([
      { kind: 'changed', mutation: { state: 'acknowledged', answer } },
    ]);
    expect(acknowledge(sent, answer, true)([sent])).toMatchObject([
      { kind: 'gone', why: 'settled', mutation: { state: 'acknowledged', answer } },
    ]);
  });

  it('is proof, also where another tab is at another attempt or has given it up', () => {
    const sent = sentOf(publish());
    expect(acknowledge(sent, answer, false)([{ ...sent, attempts: 5 }])).toHaveLength(1);
    const dead = { ...sent, state: 'dead', refusal: { kind: 'uncertain' } } as const;
    expect(one(acknowledge(sent, answer, false)([dead]))).toMatchObject({ state: 'acknowledged', refusal: undefined });
  });

  it('counts once, and not for another revision', () => {
    const sent = sentOf(publish());
    expect(acknowledge(sent, answer, false)([{ ...sent, state: 'acknowledged' }])).toEqual([]);
    expect(acknowledge(sent, answer, false)([{ ...sent, revision: 1 }])).toEqual([]);
  });

  it.each<[string, Write, Write]>([
    ['a patch', patch({ title: 'y' }, 3), patch({ title: 'y' }, 4)],
    ['a replacement', replace({}, 3), replace({}, 4)],
    ['a delete', remove(3), remove(4)],
  ])('bases what was made on top of it on its version: %s', (_, write, based) => {
    const sent = sentOf(patch({ text: 'x' }, 3));
    const changes = acknowledge(sent, answer, true)([sent, mutationOf(write), mutationOf(write)]);
    expect(changes.slice(1).map(({ mutation }) => mutation.write)).toEqual([based, based]);
  });

  it.each<[string, Partial<Mutation>]>([
    ['that was sent', { sent: 5 }],
    ['without a base', { write: patch({ text: 'y' }) }],
    ['with another base', { write: patch({ text: 'y' }, 2) }],
    ['that is dead', { state: 'dead' }],
  ])('leaves alone what stands behind it: %s', (_, members) => {
    const sent = sentOf(patch({ text: 'x' }, 3));
    expect(acknowledge(sent, answer, true)([sent, mutationOf(patch({ text: 'y' }, 3), members)])).toHaveLength(1);
  });

  it('leaves alone what it was sent after', () => {
    const earlier = mutationOf(patch({ text: 'y' }, 3));
    const sent = sentOf(patch({ text: 'x' }, 3));
    expect(acknowledge(sent, answer, true)([earlier, sent])).toHaveLength(1);
  });

  describe('with others’ changes merged in, which nobody here has seen', () => {
    const merged = { version: 5, body: { text: 'x', title: 'theirs', count: 7, version: 5 }, merged: true };
    const behind = (write: Write) => {
      const sent = sentOf(patch({ text: 'x', count: 2 }, 3));
      return acknowledge(sent, merged, true)([sent, mutationOf(write)]).slice(1);
    };

    it('bases on its version what touches only what it has decided', () => {
      expect(one(behind(patch({ text: 'y' }, 3))).write).toEqual(patch({ text: 'y' }, 5));
    });

    it('lets the server compare what touches other fields, or such as became something else', () => {
      expect(behind(patch({ text: 'y', title: 'mine' }, 3))).toEqual([]);
      expect(behind(patch({ count: 3 }, 3))).toEqual([]);
      expect(behind(replace({}, 3))).toEqual([]);
      expect(behind(remove(3))).toEqual([]);
    });
  });
});

describe('an attempt that failed', () => {
  it('leaves it to be sent again, and open whether it was applied, unless the server says', () => {
    const sent = sentOf(publish());
    expect(one(release(sent, false)([sent]))).toMatchObject({ state: 'pending', sent: 1000 });
    expect(one(release(sent, true)([sent]))).toMatchObject({ state: 'pending', sent: undefined });
  });

  it('makes a dead letter', () => {
    const sent = sentOf(publish());
    const refusal = problemOf('forbidden');
    expect(one(bury(sent, refusal)([sent]))).toMatchObject({ state: 'dead', refusal, sent: undefined });
    expect(one(bury(sent, { kind: 'uncertain' })([sent]))).toMatchObject({ state: 'dead', sent: 1000 });
  });

  it('means nothing when another tab has tried since, or it has come to an end', () => {
    const sent = sentOf(publish());
    for (const now of [{ attempts: 2 }, { revision: 1 }, { state: 'acknowledged' }, { state: 'dead' }] as const) {
      expect(release(sent, true)([{ ...sent, ...now }])).toEqual([]);
      expect(bury(sent, { kind: 'uncertain' })([{ ...sent, ...now }])).toEqual([]);
      expect(decide(sent, undefined)([{ ...sent, ...now }])).toEqual([]);
    }
  });
});

describe('a conflict that was decided', () => {
  it('makes another request, with another key, or none', () => {
    const sent = sentOf(patch({ text: 'x' }, 3));
    expect(one(decide(sent, patch({ text: 'y' }, 9))([sent]))).toMatchObject({
      state: 'pending',
      revision: 1,
      sent: undefined,
      write: { patch: { text: 'y' }, base: 9 },
    });
    expect(decide(sent, undefined)([sent])).toMatchObject([{ kind: 'gone', why: 'discarded' }]);
  });
});

describe('settling', () => {
  it('lets go of what was acknowledged, and of what was thought uncertain', () => {
    const sent = sentOf(publish(), { state: 'acknowledged', revision: 1 });
    expect(settle(`${sent.id}.1`)([sent])).toMatchObject([{ kind: 'gone', why: 'settled' }]);
    const dead = sentOf(publish(), { state: 'dead', refusal: { kind: 'uncertain' } });
    expect(settle(dead.id)([dead])).toHaveLength(1);
  });

  it('of another revision, or before the answer, does nothing', () => {
    const sent = sentOf(publish(), { state: 'acknowledged', revision: 1 });
    expect(settle(sent.id)([sent])).toEqual([]);
    const waiting = sentOf(publish());
    expect(settle(waiting.id)([waiting])).toEqual([]);
  });
});

describe('discarding', () => {
  it('takes a dead letter, and what was never sent; nothing that may have been applied', () => {
    const takes = (members: Partial<Mutation>) => {
      const mutation = mutationOf(publish(), members);
      return discard(mutation.id)([mutation]).length === 1;
    };
    expect(takes({})).toBe(true);
    expect(takes({ state: 'dead', sent: 1 })).toBe(true);
    expect(takes({ sent: 1 })).toBe(false);
    expect(takes({ state: 'in-flight', sent: 1 })).toBe(false);
    expect(takes({ state: 'acknowledged', sent: 1 })).toBe(false);
  });
});

describe('a dead letter that is sent again', () => {
  const dead = (members: Partial<Mutation> = {}) =>
    mutationOf(publish(), { state: 'dead', refusal: problemOf('forbidden'), attempts: 1, ...members });

  it('has the same key, which protects it if it was applied after all', () => {
    for (const letter of [dead(), dead({ sent: 1000, refusal: { kind: 'uncertain' } })])
      expect(one(revive(letter.id, 1000 + RESEND_MS)([letter]))).toEqual({
        ...letter,
        state: 'pending',
        refusal: undefined,
      });
  });

  it('has another key where the old one is worth nothing any more', () => {
    const old = dead({ sent: 1000, refusal: { kind: 'uncertain' } });
    const used = dead({ refusal: problemOf('idempotency-mismatch') });
    for (const letter of [old, used])
      expect(one(revive(letter.id, 1001 + RESEND_MS)([letter]))).toMatchObject({
        state: 'pending',
        revision: 1,
        sent: undefined,
        refusal: undefined,
      });
  });

  it('is another request when it was edited, of the lane that it belongs to now', () => {
    const letter = dead();
    expect(one(revive(letter.id, 0, publish('b', 2))([letter]))).toMatchObject({
      state: 'pending',
      revision: 1,
      lane: 'topic:b',
      order: letter.order,
      write: publish('b', 2),
    });
  });

  it('has to be one', () => {
    const waiting = mutationOf(publish());
    expect(revive(waiting.id, 0)([waiting])).toEqual([]);
  });
});
