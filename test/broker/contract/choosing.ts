/** The broker's contract: selections, conflation, and events that are not kept. */
import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../../src/protocol/filter.ts';
import { StoreUnavailable } from '../../../src/store/store.ts';
import type { Recorder } from '../recorder.ts';
import { range } from '../system.ts';
import { EARLIEST, type Kit, LATEST, TOPIC } from './kit.ts';

export function describeChoosing(kit: Kit): void {
  describe('a selection', () => {
    const publishMixed = async () => {
      for (const n of range(1, 12)) {
        const type = n % 3 === 0 ? 'third' : 'other';
        await kit.system.publish(TOPIC, [{ type, data: { n } }], (n % 2) as 0 | 1);
      }
    };
    const numbersOf = (recorder: Recorder) => recorder.data.map((data) => (data as { n: number }).n);

    it('by type and by filter gives exactly what it chooses, in catch-up and live, and moves past the rest', async () => {
      const filters = [parseFilter('n=gt.4')!];
      const selections = [
        [{ types: ['third'] }, [3, 6, 9, 12]],
        [{ filters }, range(5, 12)],
        [{ types: ['third'], filters }, [6, 9, 12]],
        [{ types: ['none'] }, []],
        [{ filters: [parseFilter('n=eq.5')!] }, [5]],
        [{ filters: [parseFilter('n=eq.5.0')!] }, [5]],
        [{ filters: [parseFilter('n=in.(2,3,99)')!], types: ['other'] }, [2]],
        [{ filters: [parseFilter('n=eq.5')!, parseFilter('n=gt.6')!] }, []],
      ] as const;
      const live = [];
      for (const [selection] of selections) live.push(await kit.system.read(TOPIC, LATEST, selection));
      await kit.system.settle();
      await publishMixed();
      const late = [];
      for (const [selection] of selections) late.push(await kit.system.read(TOPIC, EARLIEST, selection));
      await kit.system.settle();
      for (const readers of [live, late])
        readers.forEach(({ recorder, subscription }, index) => {
          expect(numbersOf(recorder)).toEqual(selections[index]![1]);
          expect(subscription.position).toEqual({ epoch: kit.epoch(), seq: 12 });
          expect(recorder.caughtUps).toBe(1);
        });
      for (const reader of [...live, ...late]) reader.close();
    });
  });

  describe('ephemeral events', () => {
    it('reach whoever is live on every node, move no cursor, and are not kept', async () => {
      await kit.system.numbers(TOPIC, 1, 2);
      const readers = [await kit.system.read(TOPIC, EARLIEST), await kit.system.read(TOPIC, EARLIEST, { node: 1 })];
      await kit.system.settle();
      kit.system.brokers[0].publishEphemeral(TOPIC, [{ type: 'typing', data: 'a' }]);
      await kit.system.settle();
      for (const { recorder, subscription } of readers) {
        expect(recorder.entries.at(-1)).toEqual({ kind: 'ephemeral', data: 'a' });
        expect(subscription.position.seq).toBe(2);
      }
      const late = await kit.system.read(TOPIC, EARLIEST);
      await kit.system.settle();
      expect(late.recorder.entries.filter(({ kind }) => kind === 'ephemeral')).toEqual([]);
      for (const reader of [...readers, late]) reader.close();
    });

    it('pass the same selection, and miss who is not ready', async () => {
      const chosen = await kit.system.read(TOPIC, LATEST, { types: ['typing'] });
      const other = await kit.system.read(TOPIC, LATEST, { types: ['position'] });
      const conflating = await kit.system.read(TOPIC, LATEST, { conflate: 100, types: ['typing'] });
      const slow = await kit.system.read(TOPIC, LATEST);
      await kit.system.settle();
      slow.recorder.budget = 0;
      kit.system.brokers[1].publishEphemeral(TOPIC, [
        { type: 'typing', data: 1 },
        { type: 'position', data: 2 },
      ]);
      await kit.system.settle();
      const told = [chosen, other, conflating, slow].map(({ recorder }) =>
        recorder.entries.filter(({ kind }) => kind !== 'caughtUp'),
      );
      expect(told).toEqual([
        [{ kind: 'ephemeral', data: 1 }],
        [{ kind: 'ephemeral', data: 2 }],
        [{ kind: 'ephemeral', data: 1 }],
        [],
      ]);
      for (const reader of [chosen, other, conflating, slow]) reader.close();
    });

    it('come after the durable ones that were acknowledged before them on their node', async () => {
      const reader = await kit.system.read(TOPIC, LATEST);
      await kit.system.settle();
      for (;;) {
        try {
          await kit.system.done(
            kit.system.brokers[0].publish(TOPIC, [{ data: 'durable' }]).then(() => {
              kit.system.brokers[0].publishEphemeral(TOPIC, [{ data: 'ephemeral' }]);
            }),
          );
          break;
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
        }
      }
      await kit.system.settle();
      const order = reader.recorder.entries.flatMap((entry) => ('data' in entry ? [entry.data] : []));
      // An attempt that failed may have been appended all the same; what was acknowledged stands before.
      expect(order).toContain('durable');
      expect(order.indexOf('durable')).toBeLessThan(order.indexOf('ephemeral'));
      reader.close();
    });
  });

  describe('conflation', () => {
    const publishKeys = async (count: number) => {
      for (const n of range(1, count))
        await kit.system.publish(TOPIC, [{ key: `k${n % 3}`, data: n }], (n % 2) as 0 | 1);
    };

    it('gives at most one event a key in an interval, the newest, and in the end every key’s last', async () => {
      const interval = 200;
      const reader = await kit.system.read(TOPIC, LATEST, { conflate: interval });
      await kit.system.settle();
      await publishKeys(60);
      await kit.system.settle();
      const told = reader.recorder.entries.flatMap((entry) => (entry.kind === 'event' ? [entry] : []));
      const events = kit.system.log.now(TOPIC).events;
      const byKey = Map.groupBy(told, ({ seq }) => events[seq - 1]!.key);
      for (const [key, of] of byKey) {
        for (const [index, { at }] of of.entries()) {
          if (index > 0) expect(at - of[index - 1]!.at, `two of ${key}`).toBeGreaterThanOrEqual(interval);
        }
        const last = events.findLastIndex((event) => event.key === key) + 1;
        expect(of.at(-1)!.seq).toBe(last);
      }
      expect(byKey.size).toBe(3);
      const seqs = told.map(({ seq }) => seq);
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
      expect(reader.subscription.position.seq).toBe(60);
      reader.close();
    });

    it('keeps events without a key', async () => {
      const reader = await kit.system.read(TOPIC, EARLIEST, { conflate: 100 });
      await kit.system.settle();
      await kit.system.numbers(TOPIC, 1, 20);
      await kit.system.settle();
      expect(reader.recorder.data).toEqual(range(1, 20));
      reader.close();
    });

    it('gives the newest event of each key of what was there, at once', async () => {
      await publishKeys(30);
      const reader = await kit.system.read(TOPIC, EARLIEST, { conflate: 100 });
      await kit.system.pass(3000);
      expect(reader.recorder.data.slice(-3)).toEqual([28, 29, 30]);
      expect(reader.recorder.caughtUps).toBe(1);
      reader.close();
    });

    it('never moves the cursor past what was not told', async () => {
      const reader = await kit.system.read(TOPIC, LATEST, { conflate: 500 });
      await kit.system.settle();
      await publishKeys(9);
      // Whatever the moment: what lies up to the position was told, or is superseded by something up to the position or told.
      for (let moment = 0; moment < 40; moment += 1) {
        const { seq } = reader.subscription.position;
        const told = new Set(reader.recorder.seqs);
        const events = kit.system.log.now(TOPIC).events.slice(0, seq);
        events.forEach(({ key }, index) => {
          const newer = events.findLastIndex((event) => event.key === key);
          expect(told.has(newer + 1), `event ${index + 1} at position ${seq}`).toBe(true);
        });
        await kit.system.pass(40);
      }
      reader.close();
    });
  });
}
