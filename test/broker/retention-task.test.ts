import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRetentionTask, type RetentionTaskOptions } from '../../src/broker/retention-task.ts';
import { encodeEventBody } from '../../src/protocol/event.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { type LogStore, StoreUnavailable } from '../../src/store/store.ts';

describe('the retention task', () => {
  let log: LogStore;
  let pruned: number;
  let faults: unknown[];
  beforeEach(() => {
    vi.useFakeTimers();
    log = createMemoryStore().log;
    pruned = 0;
    faults = [];
  });
  afterEach(() => {
    expect(vi.getTimerCount(), 'timers left behind').toBe(0);
    vi.useRealTimers();
  });

  const task = (options: Partial<RetentionTaskOptions> = {}) =>
    createRetentionTask({
      log,
      clock: Date.now,
      retention: () => ({}),
      compact: undefined,
      onPruned: (events) => {
        pruned += events;
      },
      onFault: (error) => faults.push(error),
      ...options,
    });
  const append = (topic: string, ...keys: readonly string[]) =>
    log.append({ topic, bodies: keys.map((key) => encodeEventBody({ key, data: key })) });

  it('prunes by topic, again and again, until it is stopped', async () => {
    const retention = createRetentionTask({
      log,
      clock: Date.now,
      retention: (topic) => (topic === 'short' ? { events: 1 } : {}),
      compact: undefined,
      intervalMs: 1000,
      onPruned: (events) => {
        pruned += events;
      },
      onFault: (error) => faults.push(error),
    });
    retention.start();
    await append('short', 'a', 'b', 'c');
    await append('long', 'a', 'b', 'c');
    await vi.advanceTimersByTimeAsync(1300);
    expect(pruned).toBe(2);
    await append('short', 'd');
    await vi.advanceTimersByTimeAsync(1300);
    expect(pruned).toBe(3);
    await retention.stop();
    await append('short', 'e');
    await vi.advanceTimersByTimeAsync(5000);
    expect(pruned).toBe(3);
    expect((await log.topic('long'))?.oldest).toBe(1);
  });

  it('compacts the topics that are to be, and leaves one at rest alone', async () => {
    await append('state:a', 'x', 'y', 'x', 'x');
    await append('events', 'x', 'x');
    const compact = vi.spyOn(log, 'compact');
    const retention = task({ compact: (topic) => topic.startsWith('state:') });
    await retention.run();
    expect(pruned).toBe(2);
    await retention.run();
    expect(compact).toHaveBeenCalledTimes(1);
    await append('state:a', 'y');
    await retention.run();
    expect(pruned).toBe(3);
    await retention.stop();
  });

  it('looks at every topic, however many there are', async () => {
    for (let n = 0; n < 1203; n += 1) await append(`state:${n}`, 'x', 'x');
    const retention = task({ compact: () => true });
    await retention.run();
    expect(pruned).toBe(1203);
    await retention.stop();
  });

  it('goes on after a log that was away, and reports only what is a fault', async () => {
    const prune = vi.spyOn(log, 'prune');
    prune.mockRejectedValueOnce(new StoreUnavailable('away'));
    const retention = task({ intervalMs: 1000 });
    retention.start();
    await vi.advanceTimersByTimeAsync(1300);
    expect(faults).toEqual([]);
    const fault = new TypeError('broken');
    prune.mockRejectedValueOnce(fault);
    await vi.advanceTimersByTimeAsync(1300);
    expect(faults).toEqual([fault]);
    await vi.advanceTimersByTimeAsync(1300);
    expect(prune.mock.calls.length).toBeGreaterThanOrEqual(3);
    await retention.stop();
  });

  it('waits at its end for the run that is under way, and begins no other', async () => {
    let release = () => {};
    vi.spyOn(log, 'prune').mockImplementation(
      () =>
        new Promise((resolve) => {
          release = () => resolve(7);
        }),
    );
    const retention = task({ intervalMs: 1000 });
    retention.start();
    await vi.advanceTimersByTimeAsync(1300);
    let stopped = false;
    const stop = retention.stop().then(() => {
      stopped = true;
    });
    await vi.advanceTimersByTimeAsync(100);
    expect(stopped).toBe(false);
    release();
    await stop;
    expect(pruned).toBe(7);
  });
});
