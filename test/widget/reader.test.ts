import { describe, expect, it } from 'vitest';
import type { Gap } from '../../src/protocol/control.ts';
import type { Event } from '../../src/protocol/event.ts';
import { createReader } from '../../src/widget/reader.ts';

const EPOCH = 'k3f0q8s1zd';
const event = (seq: number, epoch = EPOCH): Event => ({
  id: `${epoch}-${seq}`,
  topic: 't',
  time: '2026-11-21T09:30:00.000Z',
  type: 'message',
  data: seq,
});
const ephemeral: Event = { topic: 't', time: '2026-11-21T09:30:00.000Z', type: 'typing', data: 'e' };
const page = (from: number, to: number, more = false) => ({
  events: Array.from({ length: to - from + 1 }, (_, index) => event(from + index)),
  cursor: `${EPOCH}-${to}`,
  more,
});
const gap: Gap = { topic: 't', requested: 'a', oldest: 'b', latest: 'c', reason: 'expired' };

function read({ newestOnly = false } = {}) {
  const told: unknown[] = [];
  const reader = createReader('t', 20, newestOnly, {
    event: ({ data }) => told.push(data),
    gap: (found) => told.push(found?.reason ?? 'gap'),
    status() {},
    expiring() {},
    settled: () => told.push('settled'),
  });
  return { reader, told };
}

describe('a reader', () => {
  it('tells history first, then what came meanwhile, each event once', () => {
    const { reader, told } = read();
    for (const seq of [3, 4, 5]) reader.take(event(seq));
    expect(reader.pending()).toBe(true);
    expect(reader.start()).toEqual({ last: '20' });
    reader.takePage(page(1, 4));
    expect(told).toEqual(
      [1, 2, 3, 4, 'settled', 5].toSorted((a, b) => Number(a === 'settled') - Number(b === 'settled')),
    );
    // The line may be behind the page.
    for (const seq of [4, 5, 6]) reader.take(event(seq));
    expect(told.filter((each) => each !== 'settled')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('tells ephemeral events as they come', () => {
    const { reader, told } = read();
    reader.takePage(page(1, 1));
    reader.take(ephemeral);
    reader.take(ephemeral);
    expect(told).toEqual([1, 'settled', 'e', 'e']);
  });

  it('reads on from its place as long as there is more, and after it was away', () => {
    const { reader, told } = read();
    reader.takePage(page(1, 2, true));
    expect([reader.pending(), reader.start()]).toEqual([true, { after: `${EPOCH}-2` }]);
    reader.takePage(page(3, 4));
    expect(reader.pending()).toBe(false);
    reader.take(event(5));
    reader.pause();
    expect([reader.pending(), reader.start()]).toEqual([true, { after: `${EPOCH}-5` }]);
    reader.takePage(page(6, 7));
    expect(told.filter((each) => each !== 'settled')).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('goes on from an empty page too', () => {
    const { reader } = read();
    reader.takePage({ events: [], cursor: `${EPOCH}-0`, more: false });
    reader.pause();
    expect(reader.start()).toEqual({ after: `${EPOCH}-0` });
  });

  it('tells of a gap and goes on with what there is, though the numbers were set back', () => {
    const { reader, told } = read();
    reader.takePage(page(7, 9));
    reader.takeGap(gap);
    reader.take(event(3));
    expect(told).toEqual([7, 8, 9, 'settled', 'expired', 3]);
    // Where pages are still to be read, they tell of it.
    reader.pause();
    reader.takeGap(gap);
    reader.takePage({ ...page(4, 4), gap });
    expect(told.slice(6)).toEqual(['expired', 4, 'settled']);
  });

  it('of the newest only begins anew after a gap', () => {
    const { reader, told } = read({ newestOnly: true });
    reader.takePage(page(7, 9));
    reader.takeGap(gap);
    expect([reader.pending(), reader.start()]).toEqual([true, { last: '20' }]);
    reader.takePage({ ...page(1, 1), gap });
    expect(reader.pending()).toBe(true);
    reader.takePage(page(2, 2));
    expect(told).toEqual([7, 8, 9, 'settled', 'expired', 'expired', 2, 'settled']);
  });

  it('holds a bounded number of events back, and says so when some were dropped', () => {
    const { reader, told } = read();
    for (let seq = 1; seq <= 1500; seq += 1) reader.take(event(seq));
    reader.takePage({ events: [], cursor: `${EPOCH}-0`, more: false });
    expect(told.slice(0, 3)).toEqual(['gap', 501, 502]);
    expect(told).toHaveLength(1002);
  });
});
