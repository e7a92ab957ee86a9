import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { describeBroker } from './contract.ts';
import { Recorder } from './recorder.ts';
import { range, System } from './system.ts';
import { PLAIN, type TestLog } from './test-log.ts';

describeBroker('a log that answers at once', () => new System());

describeBroker('a log that takes its time', () => new System({ awkwardness: { ...PLAIN, delayMs: 8 } }));

describeBroker(
  'a log that is late, fails and gives short pages',
  () => new System({ awkwardness: { delayMs: 5, failures: 0.05, shortPages: true } }),
);

/** Keeps back the answers of one method until they are let go. */
function holdAnswers(log: TestLog, method: 'read' | 'append' | 'ranges'): { release(): void } {
  const original = log[method].bind(log) as (...asked: unknown[]) => Promise<unknown>;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  Object.assign(log, {
    [method]: async (...asked: unknown[]) => {
      const answer = await original(...asked);
      await released;
      return answer;
    },
  });
  return {
    release() {
      Object.assign(log, { [method]: original });
      release();
    },
  };
}

describe('the broker of a node, without any tail check to help', () => {
  const TOPIC = 'orders';
  const LATEST = { kind: 'latest' } as const;
  let system: System;
  beforeEach(() => {
    vi.useFakeTimers();
    system = new System({ tailCheckMs: 0 });
  });
  afterEach(async () => {
    await system.close();
    expect(system.faults).toEqual([]);
    expect(vi.getTimerCount(), 'timers left behind').toBe(0);
    vi.useRealTimers();
  });

  it('takes over its own appends while a page that ends before them is on its way', async () => {
    const { subscription, recorder } = await system.read(TOPIC, LATEST);
    const append = holdAnswers(system.log, 'append');
    const first = system.brokers[0].publish(TOPIC, [{ data: 1 }]);
    await system.pass(1);
    const page = holdAnswers(system.log, 'read');
    await system.done(system.brokers[0].checkTails());
    await system.pass(1);
    append.release();
    await system.done(first);
    // In this turn, so that the second event still waits for its flush when the page comes.
    await system.brokers[0].publish(TOPIC, [{ data: 2 }]);
    page.release();
    await system.pass(10);
    expect(recorder.data).toEqual([1, 2]);
    expect(recorder.gaps).toEqual([]);
    subscription.close();
  });

  it('asks again when it hears of an append while a page that ends before it is on its way', async () => {
    const { subscription, recorder } = await system.read(TOPIC, LATEST);
    const append = holdAnswers(system.log, 'append');
    const first = system.brokers[0].publish(TOPIC, [{ data: 1 }]);
    await system.pass(1);
    const page = holdAnswers(system.log, 'read');
    await system.done(system.brokers[0].checkTails());
    await system.pass(1);
    append.release();
    await system.done(first);
    await system.done(system.brokers[1].publish(TOPIC, [{ data: 2 }]));
    await system.pass(1);
    page.release();
    await system.pass(10);
    expect(recorder.data).toEqual([1, 2]);
    subscription.close();
  });

  it('notices a dropped log also where only a reader of the log can see it', async () => {
    for (const n of range(0, 9)) {
      const events = range(1, 100).map((m) => ({ data: 100 * n + m }));
      await system.publish(TOPIC, events);
    }
    const recorder = new Recorder();
    recorder.budget = 1;
    const reader = await system.read(TOPIC, { kind: 'earliest' }, {}, recorder);
    await system.pass(10);
    const before = system.log.now(TOPIC).epoch;
    await system.log.drop(TOPIC);
    reader.wake();
    await system.pass(2000);
    const { epoch } = system.log.now(TOPIC);
    expect(recorder.gaps).toMatchObject([{ reason: 'unknown-epoch', latest: `${epoch}-0` }]);
    expect(recorder.gaps[0]?.requested.startsWith(before)).toBe(true);
    await system.publish(TOPIC, [{ data: 'new' }]);
    await system.pass(10);
    expect(recorder.data.at(-1)).toBe('new');
    reader.close();
  });

  it('tells of an append whose first answer was lost, when it is repeated, on every node', async () => {
    const readers = [await system.read(TOPIC, LATEST), await system.read(TOPIC, LATEST, { node: 1 })];
    const idempotency = { scope: 'me', key: 'k', digest: 'd' };
    // As if the node that appended had died before it could say so.
    await system.log.append({ topic: TOPIC, bodies: ['"type":"message","data":1}'], idempotency });
    await system.done(system.brokers[1].publish(TOPIC, [{ data: 1 }], { idempotency }));
    await system.pass(10);
    for (const { recorder } of readers) expect(recorder.data).toEqual([1]);
    for (const reader of readers) reader.close();
  });

  it('waits for the interval of conflation also where the run has to be read from the log', async () => {
    const interval = 300;
    const reader = await system.read(TOPIC, LATEST, { conflate: interval });
    await system.pass(10);
    system.log.awkwardness = { ...PLAIN, delayMs: 20 };
    for (let turn = 0; turn < 8; turn += 1) {
      const events = range(1, 1000).map((n) => ({ key: 'k', data: turn * 1000 + n }));
      await system.done(system.brokers[0].publish(TOPIC, events));
    }
    await system.pass(5000);
    const times = reader.recorder.entries.flatMap((entry) => (entry.kind === 'event' ? [entry.at] : []));
    expect(times.length).toBeGreaterThan(1);
    times.slice(1).forEach((time, index) => {
      expect(time - times[index]!).toBeGreaterThanOrEqual(interval);
    });
    expect(reader.recorder.data.at(-1)).toBe(8000);
    reader.close();
  });

  it('asks the log once for all who begin on a topic at the same time', async () => {
    const asked = Array.from({ length: 20 }, () =>
      system.brokers[0].subscribe([
        { topic: TOPIC, start: LATEST },
        { topic: 'other', start: LATEST },
      ]),
    );
    const subscriptions = (await system.done(Promise.all(asked))).flat();
    expect(system.log.calls['ranges']).toBe(1);
    expect(system.brokers[0].subscribers(TOPIC)).toBe(20);
    for (const subscription of subscriptions) subscription.close();
  });

  it('reads the log once for all who are at the same place', async () => {
    await system.publish(
      TOPIC,
      range(1, 1000).map((data) => ({ data })),
    );
    const readers = [];
    const held = holdAnswers(system.log, 'read');
    for (const _ of range(1, 20)) readers.push(await system.read(TOPIC, { kind: 'earliest' }));
    const before = system.log.calls['read'] ?? 0;
    held.release();
    await system.pass(10);
    expect(before).toBe(1);
    for (const { recorder } of readers) expect(recorder.seqs).toEqual(range(1, 1000));
    for (const reader of readers) reader.close();
  });

  it('shares a batch among those who choose the same, and lets go of what nobody on the node reads', async () => {
    const batches = new Set<unknown>();
    const keep = (recorder: Recorder): Recorder => {
      const deliver = recorder.deliver.bind(recorder);
      recorder.deliver = (batch, subscription) => {
        batches.add(batch);
        deliver(batch, subscription);
      };
      return recorder;
    };
    const readers = [];
    for (const _ of range(1, 5)) {
      readers.push(await system.read(TOPIC, LATEST, {}, keep(new Recorder())));
      readers.push(await system.read(TOPIC, LATEST, { types: ['b', 'a'] }, keep(new Recorder())));
      readers.push(await system.read(TOPIC, LATEST, { types: ['a', 'b'] }, keep(new Recorder())));
    }
    await system.pass(10);
    await system.publish(TOPIC, [{ type: 'a', data: 1 }, { data: 2 }]);
    await system.pass(10);
    expect(batches.size).toBe(2);
    for (const reader of readers) reader.close();
    await system.publish(TOPIC, [{ data: 3 }]);
    expect(system.brokers[0].topics).toBe(0);
  });
});
