import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Harness } from '../contract.ts';
import { append, bodies, body, freshTopic, readAll } from './log.ts';

export function reading(harness: Harness): void {
  it('reads a topic that was never written to as empty, and creates nothing', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const page = await log.read(topic, 0, 10);
    expect(page).toMatchObject({ oldest: 1, latest: 0, batches: [] });
    expect((await log.ranges([topic]))[0]).toEqual({ epoch: page.epoch, oldest: 1, latest: 0 });
    expect(await log.seek(topic, 0)).toEqual({ epoch: page.epoch, seq: 0 });
    expect(await log.compact(topic, 10)).toBe(0);
    await log.drop(topic);
    expect(await log.topic(topic)).toBeUndefined();
    expect(await log.topics({ prefix: topic, limit: 10 })).toEqual([]);
    // The epoch that it was read under is the one it gets.
    expect(await append(log, topic, [body(1)])).toMatchObject({ epoch: page.epoch, first: 1 });
  });

  it('reads nothing at and beyond the end', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    await append(log, topic, bodies(5));
    for (const after of [5, 6, 1_000_000])
      expect(await log.read(topic, after, 10)).toMatchObject({ oldest: 1, latest: 5, batches: [] });
  });

  it('answers with what was committed before it was asked', async () => {
    const { nodes } = harness();
    const topic = freshTopic();
    for (let round = 1; round <= 20; round += 1) {
      await append(nodes[round % 2]!.log, topic, [body(round)]);
      expect((await nodes[(round + 1) % 2]!.log.read(topic, round - 1, 1)).batches[0]?.bodies).toEqual([body(round)]);
    }
  });

  it('gives the whole log from any position, whatever the size of the pages', async () => {
    const { log } = harness().nodes[0];
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.integer({ min: 1, max: 30 }), async (counts, place, limit) => {
        const topic = freshTopic();
        let total = 0;
        for (const count of counts) total = (await append(log, topic, bodies(count, total + 1))).first + count - 1;
        const after = place % (total + 1);
        const seen = await readAll(log, topic, after, limit);
        const expected = Array.from({ length: total - after }, (_, index) => after + 1 + index);
        expect(seen.map((event) => event.seq)).toEqual(expected);
        expect(seen.map((event) => event.body)).toEqual(expected.map((seq) => body(seq)));
      }),
      { numRuns: 25 },
    );
  });

  it('holds at least one event and at most the batch that reaches the limit', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    for (let batch = 0; batch < 10; batch += 1) await append(log, topic, bodies(10));
    const counts = async (after: number, limit: number) =>
      (await log.read(topic, after, limit)).batches.map(({ first, bodies }) => [first, bodies.length]);
    expect(await counts(0, 1)).toEqual([[1, 10]]);
    expect(await counts(0, 10)).toEqual([[1, 10]]);
    expect(await counts(0, 11)).toEqual([
      [1, 10],
      [11, 10],
    ]);
    expect((await counts(19, 1)).at(0)).toEqual([11, 10]);
    expect((await counts(0, 1000)).length).toBe(10);
  });

  it('does not answer with very many bytes at once', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const large = 'x'.repeat(200_000);
    for (let index = 0; index < 20; index += 1) await append(log, topic, [body(large + index)]);
    const page = await log.read(topic, 0, 1000);
    const bytes = page.batches.flatMap((batch) => batch.bodies).reduce((sum, text) => sum + text.length, 0);
    expect(bytes).toBeLessThan(2 * 1024 * 1024);
    expect((await readAll(log, topic)).length).toBe(20);
  });

  it('gives ranges in the order asked, twice what is asked twice, and unknown topics as empty', async () => {
    const { log } = harness().nodes[0];
    const topics = Array.from({ length: 5 }, () => freshTopic());
    for (const [index, topic] of topics.entries()) if (index !== 2) await append(log, topic, bodies(index + 1));
    const asked = [4, 0, 2, 4, 3, 1].map((index) => topics[index]!);
    const ranges = await log.ranges(asked);
    expect(ranges.map(({ latest }) => latest)).toEqual([5, 1, 0, 5, 4, 2]);
    expect(await log.ranges([])).toEqual([]);
    expect(ranges[1]).toEqual({ epoch: (await log.read(asked[1]!, 0, 1)).epoch, oldest: 1, latest: 1 });
  });

  it('seeks the position before the first event at or after a time', async () => {
    const { nodes, age } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    const times: number[] = [];
    for (let batch = 0; batch < 4; batch += 1) {
      await append(log, topic, bodies(3));
      await age(60_000);
    }
    for (const event of await readAll(log, topic)) if (event.seq % 3 === 1) times.push(event.time);
    expect(new Set(times).size).toBe(4);
    const { epoch } = (await log.ranges([topic]))[0]!;
    for (const [index, time] of times.entries()) {
      expect(await log.seek(topic, time)).toEqual({ epoch, seq: index * 3 });
      expect(await log.seek(topic, time - 1)).toEqual({ epoch, seq: index * 3 });
      expect(await log.seek(topic, time + 1)).toEqual({ epoch, seq: index * 3 + 3 });
    }
    expect(await log.seek(topic, 0)).toEqual({ epoch, seq: 0 });
    expect(await log.seek(topic, times[3]! + 1_000_000)).toEqual({ epoch, seq: 12 });
  });

  it('seeks no further back than what is kept', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    await append(log, topic, bodies(10));
    await append(log, topic, bodies(10));
    await log.prune((name) => (name === topic ? { events: 14 } : {}), harness().now());
    const { epoch, oldest } = (await log.ranges([topic]))[0]!;
    expect(oldest).toBe(7);
    expect(await log.seek(topic, 0)).toEqual({ epoch, seq: 6 });
  });
}
