import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeEvents } from '../../src/cloudflare/topic-frames.ts';
import { EventBatch, LogEvent } from '../../src/protocol/event-batch.ts';

const EPOCH = 'abcde00000';
const BETWEEN = 'vwxyz00000';

/** What its reader is given of a batch. */
function carried(batch: EventBatch) {
  return encodeEvents(batch).map((text) => {
    const frame = decodeFrame(text);
    if (frame.kind !== 'events') throw new Error('a frame of another kind');
    return frame.batch;
  });
}

const shown = (events: readonly LogEvent[]) => events.map(({ seq, id, json }) => ({ seq, id, json }));

describe('the frames of a batch', () => {
  it('carry every event as it is, also such as have no id, or one of no log', () => {
    const event = fc.record({
      seq: fc.integer({ min: 1, max: 1e9 }),
      epoch: fc.constantFrom(EPOCH, BETWEEN, undefined),
      data: fc.string({ unit: 'binary' }),
    });
    fc.assert(
      fc.property(fc.array(event), (made) => {
        const events = made.map(
          ({ seq, epoch, data }) =>
            new LogEvent(epoch && { epoch, seq }, '"topic":"t",', `"type":"x","data":${JSON.stringify(data)}}`),
        );
        const batch = new EventBatch('t', EPOCH, 3, 9, events);
        const [only, ...more] = carried(batch);
        expect(more).toEqual([]);
        expect([only?.topic, only?.epoch, only?.after, only?.last]).toEqual(['t', EPOCH, 3, 9]);
        expect(shown(only?.events ?? [])).toEqual(shown(events));
      }),
    );
  });

  it('are several where it is very large, each within bounds, and each beginning where the one before has ended', () => {
    const data = 'x'.repeat(3 * 1024 * 1024);
    const events = [11, 12, 13, 14, 15, 16].map(
      (seq) => new LogEvent({ epoch: EPOCH, seq }, '"topic":"t",', `"type":"x","data":"${data}"}`),
    );
    const batch = new EventBatch('t', EPOCH, 10, 20, events);
    expect(Math.max(...encodeEvents(batch).map(({ length }) => length))).toBeLessThan(9 * 1024 * 1024);
    const parts = carried(batch);
    expect(parts.map(({ after, last }) => [after, last])).toEqual([
      [10, 12],
      [12, 14],
      [14, 20],
    ]);
    expect(shown(parts.flatMap((part) => part.events))).toEqual(shown(events));
  });
});
