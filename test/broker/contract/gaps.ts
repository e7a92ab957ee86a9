/** The broker's contract: history that cannot be delivered, and what is told of it. */
import { describe, expect, it } from 'vitest';
import { formatCursor } from '../../../src/protocol/cursor.ts';
import { StoreUnavailable } from '../../../src/store/store.ts';
import { Recorder } from '../recorder.ts';
import { range, readerOf } from '../system.ts';
import { EARLIEST, type Kit, TOPIC } from './kit.ts';

export function describeGaps(kit: Kit): void {
  describe('gaps', () => {
    it('tells expired first, and goes on from the oldest event', async () => {
      await kit.system.numbers(TOPIC, 1, 10);
      await kit.system.log.prune(() => ({ events: 4 }), Date.now());
      const reader = await kit.system.read(TOPIC, kit.cursor(2));
      await kit.system.settle();
      expect(reader.recorder.entries[0]).toMatchObject({
        kind: 'gap',
        gap: {
          requested: formatCursor({ epoch: kit.epoch(), seq: 2 }),
          oldest: formatCursor({ epoch: kit.epoch(), seq: 6 }),
          latest: formatCursor({ epoch: kit.epoch(), seq: 10 }),
          reason: 'expired',
        },
        position: { epoch: kit.epoch(), seq: 6 },
      });
      expect(reader.recorder.data).toEqual([7, 8, 9, 10]);
      reader.close();
    });

    it('tells nothing where the next event is still there, nor to whoever takes whatever there is', async () => {
      await kit.system.numbers(TOPIC, 1, 10);
      await kit.system.log.prune(() => ({ events: 4 }), Date.now());
      const readers = [
        await kit.system.read(TOPIC, kit.cursor(6)),
        await kit.system.read(TOPIC, EARLIEST),
        await kit.system.read(TOPIC, { kind: 'last', count: 9 }),
      ];
      await kit.system.settle();
      for (const { recorder } of readers) {
        expect(recorder.gaps).toEqual([]);
        expect(recorder.data).toEqual([7, 8, 9, 10]);
      }
      for (const reader of readers) reader.close();
    });

    it('tells expired to whoever asked for a time that is partly gone', async () => {
      const time = Date.now();
      await kit.system.pass(1000);
      await kit.system.numbers(TOPIC, 1, 10);
      await kit.system.log.prune(() => ({ events: 4 }), Date.now());
      const reader = await kit.system.read(TOPIC, { kind: 'since', time });
      await kit.system.settle();
      expect(reader.recorder.gaps).toMatchObject([{ reason: 'expired' }]);
      expect(reader.recorder.data).toEqual([7, 8, 9, 10]);
      reader.close();
    });

    it('tells unknown-epoch for a cursor of another log, and gives this one from its beginning', async () => {
      await kit.system.numbers(TOPIC, 1, 3);
      const requested = { epoch: '0123456789', seq: 2 };
      const reader = await kit.system.read(TOPIC, { kind: 'cursor', cursors: [requested] });
      await kit.system.settle();
      expect(reader.recorder.gaps).toEqual([
        {
          topic: TOPIC,
          requested: formatCursor(requested),
          oldest: formatCursor({ epoch: kit.epoch(), seq: 0 }),
          latest: formatCursor({ epoch: kit.epoch(), seq: 3 }),
          reason: 'unknown-epoch',
        },
      ]);
      expect(reader.recorder.data).toEqual([1, 2, 3]);
      reader.close();
    });

    it('tells ahead for a cursor beyond the end, and what comes then is live', async () => {
      await kit.system.numbers(TOPIC, 1, 3);
      const reader = await kit.system.read(TOPIC, kit.cursor(8));
      await kit.system.settle();
      const end = formatCursor({ epoch: kit.epoch(), seq: 3 });
      expect(reader.recorder.gaps).toEqual([
        {
          topic: TOPIC,
          requested: formatCursor({ epoch: kit.epoch(), seq: 8 }),
          oldest: end,
          latest: end,
          reason: 'ahead',
        },
      ]);
      await kit.system.numbers(TOPIC, 4, 4);
      await kit.system.settle();
      expect(reader.recorder.data).toEqual([4]);
      reader.close();
    });

    it.each([0, 1] as const)('tells whoever is live that the log was dropped (seen from node %i)', async (node) => {
      const reader = await kit.system.read(TOPIC, EARLIEST, { node });
      await kit.system.numbers(TOPIC, 1, 5);
      await kit.system.settle();
      const before = kit.epoch();
      await kit.system.log.drop(TOPIC);
      await kit.system.numbers(TOPIC, 6, 7);
      await kit.system.settle();
      expect(reader.recorder.gaps).toMatchObject([
        { requested: `${before}-5`, oldest: `${kit.epoch()}-0`, reason: 'unknown-epoch' },
      ]);
      expect(reader.recorder.data).toEqual(range(1, 7));
      expect(reader.recorder.caughtUps).toBe(1);
      reader.close();
    });

    it('tells a slow reader of a dropped log too, when it wakes', async () => {
      for (const _ of range(1, 10)) {
        const events = range(1, 100).map((data) => ({ data }));
        await kit.system.publish(TOPIC, events);
      }
      const recorder = new Recorder();
      recorder.budget = 1;
      const reader = await kit.system.read(TOPIC, EARLIEST, {}, recorder);
      await kit.system.settle();
      await kit.system.log.drop(TOPIC);
      await kit.system.numbers(TOPIC, 1, 2);
      reader.wake();
      await kit.system.pass(20_000);
      expect(recorder.gaps.map(({ reason }) => reason)).toEqual(['unknown-epoch']);
      expect(recorder.seqs.slice(-2)).toEqual([1, 2]);
      expect(reader.subscription.position).toEqual({ epoch: kit.epoch(), seq: 2 });
      reader.close();
    });

    it.each(['live', 'slow'])('tells a %s reader that a log was set back, though it kept its epoch', async (pace) => {
      const reader = await kit.system.read(TOPIC, EARLIEST);
      await kit.system.numbers(TOPIC, 1, 8);
      await kit.system.settle();
      if (pace === 'slow') reader.recorder.budget = 0;
      await kit.system.log.setBack(TOPIC, 3);
      await kit.system.settle();
      reader.wake();
      await kit.system.settle();
      await kit.system.numbers(TOPIC, 100, 101);
      await kit.system.settle();
      expect(reader.recorder.gaps).toMatchObject([{ reason: 'ahead', requested: `${kit.epoch()}-8` }]);
      expect(reader.recorder.data).toEqual([...range(1, 8), 100, 101]);
      reader.close();
    });

    it('keeps the cursor before a gap that was not told yet', async () => {
      await kit.system.numbers(TOPIC, 1, 3);
      for (;;) {
        try {
          const requested = { epoch: '0123456789', seq: 2 };
          const start = { kind: 'cursor', cursors: [requested] } as const;
          const [subscription] = await kit.system.done(kit.system.brokers[0].subscribe([{ topic: TOPIC, start }]));
          expect(subscription!.position).toEqual(requested);
          const recorder = new Recorder();
          subscription!.start(recorder);
          expect(recorder.entries[0]).toMatchObject({ kind: 'gap', position: { epoch: kit.epoch(), seq: 0 } });
          readerOf(subscription!, recorder).close();
          return;
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
        }
      }
    });
  });
}
