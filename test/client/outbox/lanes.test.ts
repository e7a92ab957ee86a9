import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Mutation } from '../../../src/client/mutation.ts';
import { chooseNext, laneOf } from '../../../src/client/outbox/lanes.ts';
import { mutationOf, patch, publish, remove } from './mutations.ts';

describe('a lane', () => {
  it('is a topic, or a record, whatever is done to it', () => {
    expect(laneOf(publish('a'), 'm')).toBe(laneOf(publish('a', 2), 'n'));
    expect(laneOf(patch(), 'm')).toBe(laneOf(remove(), 'n'));
    expect(laneOf({ kind: 'create', collection: 'notes', key: '1', record: {} }, 'm')).toBe(laneOf(patch(), 'n'));
    expect(laneOf(patch({}, 1, '2'), 'm')).not.toBe(laneOf(patch(), 'n'));
    expect(laneOf(publish('notes/1'), 'm')).not.toBe(laneOf(patch(), 'n'));
  });

  it('is its own for each record that is created without a key', () => {
    const write = { kind: 'create', collection: 'notes', record: {} } as const;
    expect(laneOf(write, 'm')).not.toBe(laneOf(write, 'n'));
  });
});

describe('what is sent next', () => {
  const mutations = fc.array(
    fc
      .record({
        topic: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
        state: fc.constantFrom<Mutation['state']>('pending', 'in-flight', 'acknowledged', 'dead'),
      })
      .map(({ topic, state }) => mutationOf(publish(topic), { state })),
    { maxLength: 30 },
  );
  const ready = fc.dictionary(
    fc.constantFrom('topic:a', 'topic:b', 'topic:c', 'topic:d'),
    fc.constantFrom(0, 99, 100, 101, 250, Number.POSITIVE_INFINITY),
  );

  it('is the first of each lane that is ready, and no more than there is room for', () => {
    fc.assert(
      fc.property(mutations, ready, fc.nat(5), (all, times, room) => {
        const readyAt = (lane: string) => times[lane] ?? 0;
        const { send, due } = chooseNext(all, readyAt, 100, room);
        const waiting = all.filter(({ state }) => state === 'pending' || state === 'in-flight');
        const firsts = waiting.filter((each) => waiting.find(({ lane }) => lane === each.lane) === each);
        const able = firsts.filter(({ lane }) => readyAt(lane) <= 100);
        expect(send).toEqual(able.slice(0, room));
        const later = firsts.map(({ lane }) => readyAt(lane)).filter((at) => at > 100);
        expect(due).toBe(Math.min(Number.POSITIVE_INFINITY, ...later));
      }),
    );
  });

  it('is what stands behind a dead letter too', () => {
    const [dead, next] = [mutationOf(publish(), { state: 'dead' }), mutationOf(publish())];
    expect(chooseNext([dead, next], () => 0, 0, 4).send).toEqual([next]);
  });
});
