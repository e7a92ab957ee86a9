/** The broker's contract: where a subscription begins, and how it goes over from catch-up to live. */
import { describe, expect, it } from 'vitest';
import { range, TAIL_CHECK_MS } from '../system.ts';
import { EARLIEST, type Kit, LATEST, TOPIC } from './kit.ts';

export function describeBeginning(kit: Kit): void {
  describe('where a subscription begins', () => {
    it.each([
      ['earliest', () => EARLIEST, range(1, 7)],
      ['latest', () => LATEST, [6, 7]],
      ['a cursor', () => kit.cursor(3), [4, 5, 6, 7]],
      ['the cursor before the first event', () => kit.cursor(0), range(1, 7)],
      ['the newest two', () => ({ kind: 'last', count: 2 }) as const, [4, 5, 6, 7]],
      ['more of the newest than there are', () => ({ kind: 'last', count: 100 }) as const, range(1, 7)],
      ['none of the newest', () => ({ kind: 'last', count: 0 }) as const, [6, 7]],
    ])('%s', async (_, start, expected) => {
      await kit.system.numbers(TOPIC, 1, 5);
      const reader = await kit.system.read(TOPIC, start());
      await kit.system.settle();
      await kit.system.numbers(TOPIC, 6, 7);
      await kit.system.settle();
      expect(reader.recorder.data).toEqual(expected);
      expect(reader.recorder.gaps).toEqual([]);
      expect(reader.subscription.position).toEqual({ epoch: kit.epoch(), seq: 7 });
      reader.close();
    });

    it('a time: with the first event at or after it', async () => {
      await kit.system.numbers(TOPIC, 1, 3);
      await kit.system.pass(1000);
      const time = Date.now();
      await kit.system.pass(1000);
      await kit.system.numbers(TOPIC, 4, 5);
      const reader = await kit.system.read(TOPIC, { kind: 'since', time });
      await kit.system.settle();
      expect(reader.recorder.data).toEqual([4, 5]);
      reader.close();
    });

    it('at the beginning of a topic that was never written to', async () => {
      const reader = await kit.system.read(TOPIC, EARLIEST);
      await kit.system.settle();
      expect(reader.recorder.entries).toMatchObject([{ kind: 'caughtUp' }]);
      await kit.system.numbers(TOPIC, 1, 1);
      await kit.system.settle();
      expect(reader.recorder.data).toEqual([1]);
      reader.close();
    });
  });

  describe('the seam between catch-up and live', () => {
    it('calls caughtUp once, after what was there and before what comes', async () => {
      await kit.system.numbers(TOPIC, 1, 3);
      const reader = await kit.system.read(TOPIC, EARLIEST);
      await kit.system.settle();
      await kit.system.numbers(TOPIC, 4, 5);
      await kit.system.settle();
      const kinds = reader.recorder.entries.map(({ kind }) => kind);
      expect(kinds).toEqual(['event', 'event', 'event', 'caughtUp', 'event', 'event']);
      reader.close();
    });

    it('misses nothing and repeats nothing while others publish on both nodes', async () => {
      await kit.system.numbers(TOPIC, 1, 30);
      const readers = [];
      for (const n of range(1, 10)) {
        readers.push(await kit.system.read(TOPIC, EARLIEST, { node: (n % 2) as 0 | 1 }));
        await kit.system.publish(
          TOPIC,
          range(1, n).map((data) => ({ data })),
          ((n >> 1) % 2) as 0 | 1,
        );
      }
      await kit.system.settle();
      for (const { recorder } of readers) {
        expect(recorder.seqs).toEqual(range(1, 30 + 55));
        expect(recorder.caughtUps).toBe(1);
      }
      for (const reader of readers) reader.close();
    });

    it('brings everything that commits after caughtUp, by whichever node', async () => {
      const readers = [await kit.system.read(TOPIC, LATEST), await kit.system.read(TOPIC, LATEST, { node: 1 })];
      await kit.system.settle();
      await kit.system.numbers(TOPIC, 1, 3, 0);
      await kit.system.numbers(TOPIC, 4, 6, 1);
      await kit.system.settle();
      for (const { recorder } of readers) expect(recorder.data).toEqual(range(1, 6));
      for (const reader of readers) reader.close();
    });

    it('finds by the tail check what the bus did not tell', async () => {
      const reader = await kit.system.read(TOPIC, LATEST, { node: 1 });
      await kit.system.settle();
      kit.system.hub.cut('b');
      await kit.system.numbers(TOPIC, 1, 3, 0);
      await kit.system.pass(2 * TAIL_CHECK_MS + 2000);
      expect(reader.recorder.data).toEqual([1, 2, 3]);
      reader.close();
    });

    it('waits for a log that is away, and goes on where it was', async () => {
      await kit.system.numbers(TOPIC, 1, 3);
      const reader = await kit.system.read(TOPIC, kit.cursor(1));
      kit.system.log.away = true;
      await kit.system.pass(3000);
      const before = reader.recorder.entries.length;
      await kit.system.pass(3000);
      expect(reader.recorder.entries.length).toBe(before);
      kit.system.log.away = false;
      await kit.system.settle();
      await kit.system.numbers(TOPIC, 4, 4);
      await kit.system.settle();
      expect(reader.recorder.data).toEqual([2, 3, 4]);
      reader.close();
    });

    it('gives the events of one publish together, and a repeated publish once', async () => {
      const reader = await kit.system.read(TOPIC, LATEST);
      await kit.system.settle();
      const idempotency = { scope: 'me', key: 'k', digest: 'd' };
      const first = await kit.system.publish(TOPIC, [{ data: 1 }, { data: 2 }], 0, { idempotency });
      const again = await kit.system.publish(TOPIC, [{ data: 1 }, { data: 2 }], 1, { idempotency });
      expect(again).toMatchObject({ kind: 'replayed', first: 'first' in first ? first.first : undefined });
      const other = { ...idempotency, digest: 'other' };
      expect(await kit.system.publish(TOPIC, [{ data: 3 }], 0, { idempotency: other })).toEqual({ kind: 'mismatch' });
      await kit.system.settle();
      expect(reader.recorder.data).toEqual([1, 2]);
      reader.close();
    });
  });
}
