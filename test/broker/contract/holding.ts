/** The broker's contract: what a broker holds, and that it lets go of it. */
import { describe, expect, it } from 'vitest';
import { StoreUnavailable } from '../../../src/store/store.ts';
import { EARLIEST, type Kit, LATEST, TOPIC } from './kit.ts';

export function describeHolding(kit: Kit): void {
  describe('what is held', () => {
    it('is released when the subscription is closed, at whatever moment', async () => {
      await kit.system.numbers(TOPIC, 1, 5);
      const readers = [];
      for (const ms of [0, 1, 5, 700]) {
        readers.push(await kit.system.read(TOPIC, EARLIEST));
        readers.push(await kit.system.read(TOPIC, LATEST, { conflate: 300, node: 1 }));
        await kit.system.pass(ms);
      }
      expect(kit.system.brokers[0].subscribers(TOPIC)).toBe(4);
      await kit.system.numbers(TOPIC, 6, 7);
      for (const reader of readers) {
        reader.close();
        reader.subscription.close();
      }
      for (const broker of kit.system.brokers) {
        expect(broker.subscribers(TOPIC)).toBe(0);
        expect(broker.topics).toBe(0);
      }
    });

    it('is released when subscribing fails, also for those who waited for the same answer', async () => {
      kit.system.log.away = true;
      const request = { topic: TOPIC, start: EARLIEST };
      const attempts = [
        kit.system.brokers[0].subscribe([request, { ...request, topic: 'other' }]),
        kit.system.brokers[0].subscribe([request]),
        kit.system.brokers[0].subscribe([request, request]),
      ];
      const outcomes = await kit.system.done(Promise.allSettled(attempts));
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) });
      expect(kit.system.brokers[0].subscribers(TOPIC)).toBe(0);
      expect(kit.system.brokers[0].topics).toBe(0);
      kit.system.log.away = false;
      const reader = await kit.system.read(TOPIC, EARLIEST);
      await kit.system.settle();
      expect(reader.recorder.caughtUps).toBe(1);
      reader.close();
    });

    it('stays while subscribing fails for another', async () => {
      const reader = await kit.system.read(TOPIC, LATEST);
      await kit.system.settle();
      kit.system.log.away = true;
      const cursorOfAnother = { kind: 'cursor', cursors: [{ epoch: '0123456789', seq: 3 }] } as const;
      const failed = kit.system.brokers[0].subscribe([
        { topic: TOPIC, start: LATEST },
        { topic: TOPIC, start: cursorOfAnother },
      ]);
      await expect(kit.system.done(failed)).rejects.toThrow(StoreUnavailable);
      expect(kit.system.brokers[0].subscribers(TOPIC)).toBe(1);
      kit.system.log.away = false;
      await kit.system.numbers(TOPIC, 1, 1);
      await kit.system.settle();
      expect(reader.recorder.data).toEqual([1]);
      reader.close();
    });
  });
}
