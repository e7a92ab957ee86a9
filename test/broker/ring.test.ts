import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/broker/ring.ts';
import { LogEvent } from '../../src/protocol/event-batch.ts';

const event = (seq: number, size = 1) => new LogEvent({ epoch: '0123456789', seq }, '', 'x'.repeat(size));
const seqs = (events: readonly LogEvent[] | undefined) => events?.map(({ seq }) => seq);

describe('the ring', () => {
  it('gives what lies after a seq, and nothing where it does not reach back', () => {
    const ring = new Ring(10);
    ring.push([event(11), event(12), event(14)]);
    expect(seqs(ring.after(10, 9))).toEqual([11, 12, 14]);
    expect(seqs(ring.after(12, 9))).toEqual([14]);
    // 13 was compacted away.
    expect(seqs(ring.after(13, 9))).toEqual([14]);
    expect(seqs(ring.after(14, 9))).toEqual([]);
    expect(seqs(ring.after(10, 2))).toEqual([11, 12]);
    expect(ring.after(9, 9)).toBeUndefined();
    ring.restart(40);
    expect(seqs(ring.after(40, 9))).toEqual([]);
    expect(ring.after(39, 9)).toBeUndefined();
  });

  it('lets go of an event larger than its bound at once, and goes on after it', () => {
    const ring = new Ring(0, { events: 10, size: 100 });
    ring.push([event(1), event(2, 1000)]);
    expect(ring.after(1, 9)).toBeUndefined();
    expect(seqs(ring.after(2, 9))).toEqual([]);
    ring.push([event(3)]);
    expect(seqs(ring.after(2, 9))).toEqual([3]);
  });

  it('stays within its bounds, and holds either everything after a seq or says that it does not', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 30 }), (pushes) => {
        const limits = { events: 16, size: 200 };
        const ring = new Ring(0, limits);
        let last = 0;
        const all: LogEvent[] = [];
        for (const push of pushes) {
          const events = push.map((size) => {
            last += 1;
            return event(last, size);
          });
          all.push(...events);
          ring.push(events);
          for (let seq = 0; seq <= last; seq += 1) {
            const held = ring.after(seq, 1000);
            if (held === undefined) continue;
            expect(seqs(held)).toEqual(seqs(all.slice(seq)));
            expect(held.length).toBeLessThanOrEqual(limits.events);
            expect(held.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(limits.size);
          }
          expect(seqs(ring.after(last, 1))).toEqual([]);
        }
      }),
    );
  });
});
