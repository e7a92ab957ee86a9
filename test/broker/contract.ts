/** What every broker promises (see the port), run over logs that behave and logs that do not. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatCursor } from '../../src/protocol/cursor.ts';
import { parseFilter } from '../../src/protocol/filter.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { Recorder } from './recorder.ts';
import { range, readerOf, type System, TAIL_CHECK_MS } from './system.ts';

const TOPIC = 'orders';
const EARLIEST = { kind: 'earliest' } as const;
const LATEST = { kind: 'latest' } as const;

export function describeBroker(name: string, open: () => System): void {
  describe(`the broker contract: ${name}`, () => {
    let system: System;
    beforeEach(() => {
      vi.useFakeTimers();
      system = open();
    });
    afterEach(async () => {
      await system.close();
      expect(system.faults).toEqual([]);
      await system.pass(1000);
      expect(vi.getTimerCount(), 'timers left behind').toBe(0);
      vi.useRealTimers();
    });

    const epoch = () => system.log.now(TOPIC).epoch;
    const cursor = (seq: number) => ({ kind: 'cursor', cursor: { epoch: epoch(), seq } }) as const;

    describe('where a subscription begins', () => {
      it.each([
        ['earliest', () => EARLIEST, range(1, 7)],
        ['latest', () => LATEST, [6, 7]],
        ['a cursor', () => cursor(3), [4, 5, 6, 7]],
        ['the cursor before the first event', () => cursor(0), range(1, 7)],
        ['the newest two', () => ({ kind: 'last', count: 2 }) as const, [4, 5, 6, 7]],
        ['more of the newest than there are', () => ({ kind: 'last', count: 100 }) as const, range(1, 7)],
        ['none of the newest', () => ({ kind: 'last', count: 0 }) as const, [6, 7]],
      ])('%s', async (_, start, expected) => {
        await system.numbers(TOPIC, 1, 5);
        const reader = await system.read(TOPIC, start());
        await system.settle();
        await system.numbers(TOPIC, 6, 7);
        await system.settle();
        expect(reader.recorder.data).toEqual(expected);
        expect(reader.recorder.gaps).toEqual([]);
        expect(reader.subscription.position).toEqual({ epoch: epoch(), seq: 7 });
        reader.close();
      });

      it('a time: with the first event at or after it', async () => {
        await system.numbers(TOPIC, 1, 3);
        await system.pass(1000);
        const time = Date.now();
        await system.pass(1000);
        await system.numbers(TOPIC, 4, 5);
        const reader = await system.read(TOPIC, { kind: 'since', time });
        await system.settle();
        expect(reader.recorder.data).toEqual([4, 5]);
        reader.close();
      });

      it('at the beginning of a topic that was never written to', async () => {
        const reader = await system.read(TOPIC, EARLIEST);
        await system.settle();
        expect(reader.recorder.entries).toMatchObject([{ kind: 'caughtUp' }]);
        await system.numbers(TOPIC, 1, 1);
        await system.settle();
        expect(reader.recorder.data).toEqual([1]);
        reader.close();
      });
    });

    describe('the seam between catch-up and live', () => {
      it('calls caughtUp once, after what was there and before what comes', async () => {
        await system.numbers(TOPIC, 1, 3);
        const reader = await system.read(TOPIC, EARLIEST);
        await system.settle();
        await system.numbers(TOPIC, 4, 5);
        await system.settle();
        const kinds = reader.recorder.entries.map(({ kind }) => kind);
        expect(kinds).toEqual(['event', 'event', 'event', 'caughtUp', 'event', 'event']);
        reader.close();
      });

      it('misses nothing and repeats nothing while others publish on both nodes', async () => {
        await system.numbers(TOPIC, 1, 30);
        const readers = [];
        for (const n of range(1, 10)) {
          readers.push(await system.read(TOPIC, EARLIEST, { node: (n % 2) as 0 | 1 }));
          await system.publish(
            TOPIC,
            range(1, n).map((data) => ({ data })),
            ((n >> 1) % 2) as 0 | 1,
          );
        }
        await system.settle();
        for (const { recorder } of readers) {
          expect(recorder.seqs).toEqual(range(1, 30 + 55));
          expect(recorder.caughtUps).toBe(1);
        }
        for (const reader of readers) reader.close();
      });

      it('brings everything that commits after caughtUp, by whichever node', async () => {
        const readers = [await system.read(TOPIC, LATEST), await system.read(TOPIC, LATEST, { node: 1 })];
        await system.settle();
        await system.numbers(TOPIC, 1, 3, 0);
        await system.numbers(TOPIC, 4, 6, 1);
        await system.settle();
        for (const { recorder } of readers) expect(recorder.data).toEqual(range(1, 6));
        for (const reader of readers) reader.close();
      });

      it('finds by the tail check what the bus did not tell', async () => {
        const reader = await system.read(TOPIC, LATEST, { node: 1 });
        await system.settle();
        system.hub.cut('b');
        await system.numbers(TOPIC, 1, 3, 0);
        await system.pass(2 * TAIL_CHECK_MS + 2000);
        expect(reader.recorder.data).toEqual([1, 2, 3]);
        reader.close();
      });

      it('waits for a log that is away, and goes on where it was', async () => {
        await system.numbers(TOPIC, 1, 3);
        const reader = await system.read(TOPIC, cursor(1));
        system.log.away = true;
        await system.pass(3000);
        const before = reader.recorder.entries.length;
        await system.pass(3000);
        expect(reader.recorder.entries.length).toBe(before);
        system.log.away = false;
        await system.settle();
        await system.numbers(TOPIC, 4, 4);
        await system.settle();
        expect(reader.recorder.data).toEqual([2, 3, 4]);
        reader.close();
      });

      it('gives the events of one publish together, and a repeated publish once', async () => {
        const reader = await system.read(TOPIC, LATEST);
        await system.settle();
        const idempotency = { scope: 'me', key: 'k', digest: 'd' };
        const first = await system.publish(TOPIC, [{ data: 1 }, { data: 2 }], 0, { idempotency });
        const again = await system.publish(TOPIC, [{ data: 1 }, { data: 2 }], 1, { idempotency });
        expect(again).toMatchObject({ kind: 'replayed', first: 'first' in first ? first.first : undefined });
        const other = { ...idempotency, digest: 'other' };
        expect(await system.publish(TOPIC, [{ data: 3 }], 0, { idempotency: other })).toEqual({ kind: 'mismatch' });
        await system.settle();
        expect(reader.recorder.data).toEqual([1, 2]);
        reader.close();
      });
    });

    describe('a slow reader', () => {
      it('is not called while it is not ready, and goes on from its cursor without loss', async () => {
        const reader = await system.read(TOPIC, LATEST);
        const quick = await system.read(TOPIC, LATEST);
        await system.settle();
        reader.recorder.budget = 1;
        await system.numbers(TOPIC, 1, 40);
        await system.settle();
        const taken = reader.recorder.seqs.length;
        expect(taken).toBeLessThan(40);
        expect(reader.subscription.position.seq).toBe(taken);
        expect(quick.recorder.data).toEqual(range(1, 40));
        reader.wake();
        await system.settle();
        expect(reader.recorder.data).toEqual(range(1, 40));
        expect(reader.recorder.caughtUps).toBe(1);
        for (const each of [reader, quick]) each.close();
      });

      it('reads the log again where the ring does not reach back, however far behind it is', async () => {
        const reader = await system.read(TOPIC, LATEST);
        await system.settle();
        reader.recorder.budget = 0;
        for (const _ of range(1, 6))
          await system.publish(
            TOPIC,
            range(1, 1000).map((data) => ({ data })),
          );
        await system.settle();
        const reads = system.log.calls['read'] ?? 0;
        reader.wake();
        await system.pass(20_000);
        expect(reader.recorder.seqs).toEqual(range(1, 6000));
        expect(system.log.calls['read']).toBeGreaterThan(reads);
        reader.close();
      });

      it('may stop and go at any batch', async () => {
        await system.publish(
          TOPIC,
          range(1, 500).map((data) => ({ data })),
        );
        const recorder = new Recorder();
        recorder.budget = 1;
        const reader = await system.read(TOPIC, EARLIEST, {}, recorder);
        for (let turn = 0; turn < 200 && recorder.data.length < 520; turn += 1) {
          if (turn < 20) await system.publish(TOPIC, [{ data: 501 + turn }], (turn % 2) as 0 | 1);
          recorder.budget = 1;
          reader.subscription.resume();
          await system.pass(600);
        }
        expect(recorder.data).toEqual(range(1, 520));
        reader.close();
      });

      it('is told of a gap, as lagged, only when retention has overtaken it', async () => {
        const reader = await system.read(TOPIC, LATEST);
        await system.settle();
        reader.recorder.budget = 0;
        for (const _ of range(1, 4))
          await system.publish(
            TOPIC,
            range(1, 1000).map((data) => ({ data })),
          );
        await system.settle();
        await system.log.prune(() => ({ events: 10 }), Date.now());
        const { prunedTo } = system.log.now(TOPIC);
        reader.wake();
        await system.pass(20_000);
        expect(reader.recorder.gaps).toEqual([
          {
            topic: TOPIC,
            requested: formatCursor({ epoch: epoch(), seq: 0 }),
            oldest: formatCursor({ epoch: epoch(), seq: prunedTo }),
            latest: formatCursor({ epoch: epoch(), seq: 4000 }),
            reason: 'lagged',
          },
        ]);
        expect(reader.recorder.seqs).toEqual(range(prunedTo + 1, 4000));
        reader.close();
      });
    });

    describe('gaps', () => {
      it('tells expired first, and goes on from the oldest event', async () => {
        await system.numbers(TOPIC, 1, 10);
        await system.log.prune(() => ({ events: 4 }), Date.now());
        const reader = await system.read(TOPIC, cursor(2));
        await system.settle();
        expect(reader.recorder.entries[0]).toMatchObject({
          kind: 'gap',
          gap: {
            requested: formatCursor({ epoch: epoch(), seq: 2 }),
            oldest: formatCursor({ epoch: epoch(), seq: 6 }),
            latest: formatCursor({ epoch: epoch(), seq: 10 }),
            reason: 'expired',
          },
          position: { epoch: epoch(), seq: 6 },
        });
        expect(reader.recorder.data).toEqual([7, 8, 9, 10]);
        reader.close();
      });

      it('tells nothing where the next event is still there, nor to whoever takes whatever there is', async () => {
        await system.numbers(TOPIC, 1, 10);
        await system.log.prune(() => ({ events: 4 }), Date.now());
        const readers = [
          await system.read(TOPIC, cursor(6)),
          await system.read(TOPIC, EARLIEST),
          await system.read(TOPIC, { kind: 'last', count: 9 }),
        ];
        await system.settle();
        for (const { recorder } of readers) {
          expect(recorder.gaps).toEqual([]);
          expect(recorder.data).toEqual([7, 8, 9, 10]);
        }
        for (const reader of readers) reader.close();
      });

      it('tells expired to whoever asked for a time that is partly gone', async () => {
        const time = Date.now();
        await system.pass(1000);
        await system.numbers(TOPIC, 1, 10);
        await system.log.prune(() => ({ events: 4 }), Date.now());
        const reader = await system.read(TOPIC, { kind: 'since', time });
        await system.settle();
        expect(reader.recorder.gaps).toMatchObject([{ reason: 'expired' }]);
        expect(reader.recorder.data).toEqual([7, 8, 9, 10]);
        reader.close();
      });

      it('tells unknown-epoch for a cursor of another log, and gives this one from its beginning', async () => {
        await system.numbers(TOPIC, 1, 3);
        const requested = { epoch: '0123456789', seq: 2 };
        const reader = await system.read(TOPIC, { kind: 'cursor', cursor: requested });
        await system.settle();
        expect(reader.recorder.gaps).toEqual([
          {
            topic: TOPIC,
            requested: formatCursor(requested),
            oldest: formatCursor({ epoch: epoch(), seq: 0 }),
            latest: formatCursor({ epoch: epoch(), seq: 3 }),
            reason: 'unknown-epoch',
          },
        ]);
        expect(reader.recorder.data).toEqual([1, 2, 3]);
        reader.close();
      });

      it('tells ahead for a cursor beyond the end, and what comes then is live', async () => {
        await system.numbers(TOPIC, 1, 3);
        const reader = await system.read(TOPIC, cursor(8));
        await system.settle();
        const end = formatCursor({ epoch: epoch(), seq: 3 });
        expect(reader.recorder.gaps).toEqual([
          {
            topic: TOPIC,
            requested: formatCursor({ epoch: epoch(), seq: 8 }),
            oldest: end,
            latest: end,
            reason: 'ahead',
          },
        ]);
        await system.numbers(TOPIC, 4, 4);
        await system.settle();
        expect(reader.recorder.data).toEqual([4]);
        reader.close();
      });

      it.each([0, 1] as const)('tells whoever is live that the log was dropped (seen from node %i)', async (node) => {
        const reader = await system.read(TOPIC, EARLIEST, { node });
        await system.numbers(TOPIC, 1, 5);
        await system.settle();
        const before = epoch();
        await system.log.drop(TOPIC);
        await system.numbers(TOPIC, 6, 7);
        await system.settle();
        expect(reader.recorder.gaps).toMatchObject([
          { requested: `${before}-5`, oldest: `${epoch()}-0`, reason: 'unknown-epoch' },
        ]);
        expect(reader.recorder.data).toEqual(range(1, 7));
        expect(reader.recorder.caughtUps).toBe(1);
        reader.close();
      });

      it('tells a slow reader of a dropped log too, when it wakes', async () => {
        for (const _ of range(1, 10)) {
          const events = range(1, 100).map((data) => ({ data }));
          await system.publish(TOPIC, events);
        }
        const recorder = new Recorder();
        recorder.budget = 1;
        const reader = await system.read(TOPIC, EARLIEST, {}, recorder);
        await system.settle();
        await system.log.drop(TOPIC);
        await system.numbers(TOPIC, 1, 2);
        reader.wake();
        await system.pass(20_000);
        expect(recorder.gaps.map(({ reason }) => reason)).toEqual(['unknown-epoch']);
        expect(recorder.seqs.slice(-2)).toEqual([1, 2]);
        expect(reader.subscription.position).toEqual({ epoch: epoch(), seq: 2 });
        reader.close();
      });

      it.each(['live', 'slow'])('tells a %s reader that a log was set back, though it kept its epoch', async (pace) => {
        const reader = await system.read(TOPIC, EARLIEST);
        await system.numbers(TOPIC, 1, 8);
        await system.settle();
        if (pace === 'slow') reader.recorder.budget = 0;
        await system.log.setBack(TOPIC, 3);
        await system.settle();
        reader.wake();
        await system.settle();
        await system.numbers(TOPIC, 100, 101);
        await system.settle();
        expect(reader.recorder.gaps).toMatchObject([{ reason: 'ahead', requested: `${epoch()}-8` }]);
        expect(reader.recorder.data).toEqual([...range(1, 8), 100, 101]);
        reader.close();
      });

      it('keeps the cursor before a gap that was not told yet', async () => {
        await system.numbers(TOPIC, 1, 3);
        for (;;) {
          try {
            const requested = { epoch: '0123456789', seq: 2 };
            const start = { kind: 'cursor', cursor: requested } as const;
            const [subscription] = await system.done(system.brokers[0].subscribe([{ topic: TOPIC, start }]));
            expect(subscription!.position).toEqual(requested);
            const recorder = new Recorder();
            subscription!.start(recorder);
            expect(recorder.entries[0]).toMatchObject({ kind: 'gap', position: { epoch: epoch(), seq: 0 } });
            readerOf(subscription!, recorder).close();
            return;
          } catch (error) {
            if (!(error instanceof StoreUnavailable)) throw error;
          }
        }
      });
    });

    describe('a selection', () => {
      const publishMixed = async () => {
        for (const n of range(1, 12)) {
          const type = n % 3 === 0 ? 'third' : 'other';
          await system.publish(TOPIC, [{ type, data: { n } }], (n % 2) as 0 | 1);
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
        ] as const;
        const live = [];
        for (const [selection] of selections) live.push(await system.read(TOPIC, LATEST, selection));
        await system.settle();
        await publishMixed();
        const late = [];
        for (const [selection] of selections) late.push(await system.read(TOPIC, EARLIEST, selection));
        await system.settle();
        for (const readers of [live, late])
          readers.forEach(({ recorder, subscription }, index) => {
            expect(numbersOf(recorder)).toEqual(selections[index]![1]);
            expect(subscription.position).toEqual({ epoch: epoch(), seq: 12 });
            expect(recorder.caughtUps).toBe(1);
          });
        for (const reader of [...live, ...late]) reader.close();
      });
    });

    describe('ephemeral events', () => {
      it('reach whoever is live on every node, move no cursor, and are not kept', async () => {
        await system.numbers(TOPIC, 1, 2);
        const readers = [await system.read(TOPIC, EARLIEST), await system.read(TOPIC, EARLIEST, { node: 1 })];
        await system.settle();
        system.brokers[0].publishEphemeral(TOPIC, [{ type: 'typing', data: 'a' }]);
        await system.settle();
        for (const { recorder, subscription } of readers) {
          expect(recorder.entries.at(-1)).toEqual({ kind: 'ephemeral', data: 'a' });
          expect(subscription.position.seq).toBe(2);
        }
        const late = await system.read(TOPIC, EARLIEST);
        await system.settle();
        expect(late.recorder.entries.filter(({ kind }) => kind === 'ephemeral')).toEqual([]);
        for (const reader of [...readers, late]) reader.close();
      });

      it('pass the same selection, and miss who is not ready', async () => {
        const chosen = await system.read(TOPIC, LATEST, { types: ['typing'] });
        const other = await system.read(TOPIC, LATEST, { types: ['position'] });
        const conflating = await system.read(TOPIC, LATEST, { conflate: 100, types: ['typing'] });
        const slow = await system.read(TOPIC, LATEST);
        await system.settle();
        slow.recorder.budget = 0;
        system.brokers[1].publishEphemeral(TOPIC, [
          { type: 'typing', data: 1 },
          { type: 'position', data: 2 },
        ]);
        await system.settle();
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
        const reader = await system.read(TOPIC, LATEST);
        await system.settle();
        for (;;) {
          try {
            await system.done(
              system.brokers[0].publish(TOPIC, [{ data: 'durable' }]).then(() => {
                system.brokers[0].publishEphemeral(TOPIC, [{ data: 'ephemeral' }]);
              }),
            );
            break;
          } catch (error) {
            if (!(error instanceof StoreUnavailable)) throw error;
          }
        }
        await system.settle();
        const order = reader.recorder.entries.flatMap((entry) => ('data' in entry ? [entry.data] : []));
        // An attempt that failed may have been appended all the same; what was acknowledged stands before.
        expect(order).toContain('durable');
        expect(order.indexOf('durable')).toBeLessThan(order.indexOf('ephemeral'));
        reader.close();
      });
    });

    describe('conflation', () => {
      const publishKeys = async (count: number) => {
        for (const n of range(1, count)) await system.publish(TOPIC, [{ key: `k${n % 3}`, data: n }], (n % 2) as 0 | 1);
      };

      it('gives at most one event a key in an interval, the newest, and in the end every key’s last', async () => {
        const interval = 200;
        const reader = await system.read(TOPIC, LATEST, { conflate: interval });
        await system.settle();
        await publishKeys(60);
        await system.settle();
        const told = reader.recorder.entries.flatMap((entry) => (entry.kind === 'event' ? [entry] : []));
        const events = system.log.now(TOPIC).events;
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
        const reader = await system.read(TOPIC, EARLIEST, { conflate: 100 });
        await system.settle();
        await system.numbers(TOPIC, 1, 20);
        await system.settle();
        expect(reader.recorder.data).toEqual(range(1, 20));
        reader.close();
      });

      it('gives the newest event of each key of what was there, at once', async () => {
        await publishKeys(30);
        const reader = await system.read(TOPIC, EARLIEST, { conflate: 100 });
        await system.pass(3000);
        expect(reader.recorder.data.slice(-3)).toEqual([28, 29, 30]);
        expect(reader.recorder.caughtUps).toBe(1);
        reader.close();
      });

      it('never moves the cursor past what was not told', async () => {
        const reader = await system.read(TOPIC, LATEST, { conflate: 500 });
        await system.settle();
        await publishKeys(9);
        // Whatever the moment: what lies up to the position was told, or is superseded by something up to the position or told.
        for (let moment = 0; moment < 40; moment += 1) {
          const { seq } = reader.subscription.position;
          const told = new Set(reader.recorder.seqs);
          const events = system.log.now(TOPIC).events.slice(0, seq);
          events.forEach(({ key }, index) => {
            const newer = events.findLastIndex((event) => event.key === key);
            expect(told.has(newer + 1), `event ${index + 1} at position ${seq}`).toBe(true);
          });
          await system.pass(40);
        }
        reader.close();
      });
    });

    describe('what is held', () => {
      it('is released when the subscription is closed, at whatever moment', async () => {
        await system.numbers(TOPIC, 1, 5);
        const readers = [];
        for (const ms of [0, 1, 5, 700]) {
          readers.push(await system.read(TOPIC, EARLIEST));
          readers.push(await system.read(TOPIC, LATEST, { conflate: 300, node: 1 }));
          await system.pass(ms);
        }
        expect(system.brokers[0].subscribers(TOPIC)).toBe(4);
        await system.numbers(TOPIC, 6, 7);
        for (const reader of readers) {
          reader.close();
          reader.subscription.close();
        }
        for (const broker of system.brokers) {
          expect(broker.subscribers(TOPIC)).toBe(0);
          expect(broker.topics).toBe(0);
        }
      });

      it('is released when subscribing fails, also for those who waited for the same answer', async () => {
        system.log.away = true;
        const request = { topic: TOPIC, start: EARLIEST };
        const attempts = [
          system.brokers[0].subscribe([request, { ...request, topic: 'other' }]),
          system.brokers[0].subscribe([request]),
          system.brokers[0].subscribe([request, request]),
        ];
        const outcomes = await system.done(Promise.allSettled(attempts));
        for (const outcome of outcomes)
          expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) });
        expect(system.brokers[0].subscribers(TOPIC)).toBe(0);
        expect(system.brokers[0].topics).toBe(0);
        system.log.away = false;
        const reader = await system.read(TOPIC, EARLIEST);
        await system.settle();
        expect(reader.recorder.caughtUps).toBe(1);
        reader.close();
      });

      it('stays while subscribing fails for another', async () => {
        const reader = await system.read(TOPIC, LATEST);
        await system.settle();
        system.log.away = true;
        const cursorOfAnother = { kind: 'cursor', cursor: { epoch: '0123456789', seq: 3 } } as const;
        const failed = system.brokers[0].subscribe([
          { topic: TOPIC, start: LATEST },
          { topic: TOPIC, start: cursorOfAnother },
        ]);
        await expect(system.done(failed)).rejects.toThrow(StoreUnavailable);
        expect(system.brokers[0].subscribers(TOPIC)).toBe(1);
        system.log.away = false;
        await system.numbers(TOPIC, 1, 1);
        await system.settle();
        expect(reader.recorder.data).toEqual([1]);
        reader.close();
      });
    });
  });
}
