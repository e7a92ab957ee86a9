/** The broker's contract: what becomes of a reader that does not keep up. */
import { describe, expect, it } from 'vitest';
import { formatCursor } from '../../../src/protocol/cursor.ts';
import { Recorder } from '../recorder.ts';
import { range } from '../system.ts';
import { EARLIEST, type Kit, LATEST, TOPIC } from './kit.ts';

export function describeSlowReader(kit: Kit): void {
  describe('a slow reader', () => {
    it('is not called while it is not ready, and goes on from its cursor without loss', async () => {
      const reader = await kit.system.read(TOPIC, LATEST);
      const quick = await kit.system.read(TOPIC, LATEST);
      await kit.system.settle();
      reader.recorder.budget = 1;
      await kit.system.numbers(TOPIC, 1, 40);
      await kit.system.settle();
      const taken = reader.recorder.seqs.length;
      expect(taken).toBeLessThan(40);
      expect(reader.subscription.position.seq).toBe(taken);
      expect(quick.recorder.data).toEqual(range(1, 40));
      reader.wake();
      await kit.system.settle();
      expect(reader.recorder.data).toEqual(range(1, 40));
      expect(reader.recorder.caughtUps).toBe(1);
      for (const each of [reader, quick]) each.close();
    });

    it('reads the log again where the ring does not reach back, however far behind it is', async () => {
      const reader = await kit.system.read(TOPIC, LATEST);
      await kit.system.settle();
      reader.recorder.budget = 0;
      for (const _ of range(1, 6))
        await kit.system.publish(
          TOPIC,
          range(1, 1000).map((data) => ({ data })),
        );
      await kit.system.settle();
      const reads = kit.system.log.calls['read'] ?? 0;
      reader.wake();
      await kit.system.pass(20_000);
      expect(reader.recorder.seqs).toEqual(range(1, 6000));
      expect(kit.system.log.calls['read']).toBeGreaterThan(reads);
      reader.close();
    });

    it('may stop and go at any batch', async () => {
      await kit.system.publish(
        TOPIC,
        range(1, 500).map((data) => ({ data })),
      );
      const recorder = new Recorder();
      recorder.budget = 1;
      const reader = await kit.system.read(TOPIC, EARLIEST, {}, recorder);
      for (let turn = 0; turn < 200 && recorder.data.length < 520; turn += 1) {
        if (turn < 20) await kit.system.publish(TOPIC, [{ data: 501 + turn }], (turn % 2) as 0 | 1);
        recorder.budget = 1;
        reader.subscription.resume();
        await kit.system.pass(600);
      }
      expect(recorder.data).toEqual(range(1, 520));
      reader.close();
    });

    it('is told of a gap, as lagged, only when retention has overtaken it', async () => {
      const reader = await kit.system.read(TOPIC, LATEST);
      await kit.system.settle();
      reader.recorder.budget = 0;
      for (const _ of range(1, 4))
        await kit.system.publish(
          TOPIC,
          range(1, 1000).map((data) => ({ data })),
        );
      await kit.system.settle();
      await kit.system.log.prune(() => ({ events: 10 }), Date.now());
      const { prunedTo } = kit.system.log.now(TOPIC);
      reader.wake();
      await kit.system.pass(20_000);
      expect(reader.recorder.gaps).toEqual([
        {
          topic: TOPIC,
          requested: formatCursor({ epoch: kit.epoch(), seq: 0 }),
          oldest: formatCursor({ epoch: kit.epoch(), seq: prunedTo }),
          latest: formatCursor({ epoch: kit.epoch(), seq: 4000 }),
          reason: 'lagged',
        },
      ]);
      expect(reader.recorder.seqs).toEqual(range(prunedTo + 1, 4000));
      reader.close();
    });
  });
}
