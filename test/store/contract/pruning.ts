import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Retention } from '../../../src/store/store.ts';
import type { Harness } from '../contract.ts';
import { append, bodies, body, bytesOf, freshKey, freshTopic, readAll, turn } from './log.ts';

const HOUR = 3_600_000;

/** A retention for one topic alone, so that the tests leave each other in peace. */
function only(topic: string, retention: Retention): (name: string) => Retention {
  return (name) => (name === topic ? retention : {});
}

export function pruning(harness: Harness): void {
  const now = () => harness().now();

  it('keeps everything where no bound is set', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    await append(log, topic, bodies(100));
    const before = await log.topic(topic);
    expect(await log.prune(() => ({}), now())).toBe(0);
    expect(await log.topic(topic)).toEqual(before);
  });

  it('keeps exactly the newest so many events, also within a batch', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    for (let batch = 0; batch < 5; batch += 1) await append(log, topic, bodies(10, batch * 10 + 1));
    expect(await log.prune(only(topic, { events: 23 }), now())).toBe(27);
    expect((await log.ranges([topic]))[0]).toMatchObject({ oldest: 28, latest: 50 });
    expect((await readAll(log, topic)).map((event) => event.body)).toEqual(bodies(23, 28));
    // Batches that are gone altogether count no more; the one that is cut stays as it is.
    expect((await log.topic(topic))?.bytes).toBe(bytesOf(bodies(30, 21)));
    expect(await log.prune(only(topic, { events: 23 }), now())).toBe(0);
    expect(await log.prune(only(topic, { events: 100 }), now())).toBe(0);
    expect(await log.prune(only(topic, { events: 0 }), now())).toBe(23);
    expect((await log.ranges([topic]))[0]).toMatchObject({ oldest: 51, latest: 50 });
    expect(await log.topic(topic)).toMatchObject({ bytes: 0, latest: 50 });
    expect(await append(log, topic, bodies(1))).toMatchObject({ first: 51 });
  });

  it('lets go of events older than so many milliseconds, and of all of them when all are', async () => {
    const { nodes, age } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    for (let batch = 0; batch < 3; batch += 1) {
      await append(log, topic, bodies(5, batch * 5 + 1));
      await age(HOUR);
    }
    const times = (await readAll(log, topic)).map((event) => event.time);
    // By the time of the second batch itself: what is exactly as old as the bound stays.
    const present = now();
    expect(await log.prune(only(topic, { ageMs: present - times[5]! }), present)).toBe(5);
    expect((await readAll(log, topic)).map((event) => event.seq)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(await log.prune(only(topic, { ageMs: present - times[5]! - 1 }), present)).toBe(5);
    expect((await log.ranges([topic]))[0]).toMatchObject({ oldest: 11, latest: 15 });
    expect(await log.prune(only(topic, { ageMs: 1 }), present + 2 * HOUR)).toBe(5);
    expect(await log.read(topic, 0, 10)).toMatchObject({ oldest: 16, latest: 15, batches: [] });
    expect((await log.topic(topic))?.bytes).toBe(0);
  });

  it('lets go of the oldest batches while the bodies exceed so many bytes, but never of the newest batch', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const text = body('x'.repeat(100));
    for (let batch = 0; batch < 6; batch += 1) await append(log, topic, [text, text]);
    const two = bytesOf([text, text]);
    expect(await log.prune(only(topic, { bytes: 6 * two }), now())).toBe(0);
    expect(await log.prune(only(topic, { bytes: 4 * two }), now())).toBe(4);
    expect(await log.topic(topic)).toMatchObject({ oldest: 5, bytes: 4 * two });
    expect(await log.prune(only(topic, { bytes: 4 * two - 1 }), now())).toBe(2);
    expect(await log.topic(topic)).toMatchObject({ oldest: 7, bytes: 3 * two });
    expect(await log.prune(only(topic, { bytes: 1 }), now())).toBe(4);
    expect(await log.topic(topic)).toMatchObject({ oldest: 11, latest: 12, bytes: two });
    expect(await log.prune(only(topic, { bytes: 0 }), now())).toBe(0);
    expect((await readAll(log, topic)).length).toBe(2);
  });

  it('asks for the retention of each topic by its name', async () => {
    const { log } = harness().nodes[0];
    const base = freshTopic();
    const topics = ['a', 'b', 'c'].map((name) => `${base}:${name}`);
    for (const topic of topics) await append(log, topic, bodies(10));
    const kept = new Map([
      [topics[0], 3],
      [topics[2], 7],
    ]);
    await log.prune((name) => ({ events: kept.get(name) }), now());
    expect((await log.ranges(topics)).map(({ oldest }) => oldest)).toEqual([8, 1, 4]);
  });

  it('satisfies all bounds at once, whatever they are, and never what no bound demands', async () => {
    const { log } = harness().nodes[0];
    const bound = fc.option(fc.nat(40), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 10 }),
        fc.array(fc.record({ events: bound, bytes: bound }), { minLength: 1, maxLength: 3 }),
        async (counts, retentions) => {
          const topic = freshTopic();
          const unit = bytesOf([body('x')]);
          const batches: { first: number; last: number }[] = [];
          let latest = 0;
          for (const count of counts) {
            await append(
              log,
              topic,
              Array.from({ length: count }, () => body('x')),
            );
            batches.push({ first: latest + 1, last: latest + count });
            latest += count;
          }
          let oldest = 1;
          for (const { events, bytes } of retentions) {
            const retention = { events, bytes: bytes === undefined ? undefined : bytes * unit };
            const before = oldest;
            const forgotten = await log.prune(only(topic, retention), now());
            // Bytes are counted by whole batches: those that hold anything still.
            const held = batches.filter(({ last }) => last >= before);
            const sizes = () => held.reduce((sum, { first, last }) => sum + last - first + 1, 0);
            if (events !== undefined) oldest = Math.max(oldest, latest - events + 1);
            if (bytes !== undefined) {
              while (held.length > 1 && sizes() > bytes) held.shift();
              if (held[0] !== undefined) oldest = Math.max(oldest, held[0].first);
            }
            expect(forgotten).toBe(oldest - before);
            expect((await log.ranges([topic]))[0]).toMatchObject({ oldest, latest });
            const kept = batches.filter(({ last }) => last >= oldest).reduce((sum, b) => sum + b.last - b.first + 1, 0);
            expect((await log.topic(topic))?.bytes).toBe(kept * unit);
            expect((await readAll(log, topic)).map((event) => event.seq)).toEqual(
              Array.from({ length: latest - oldest + 1 }, (_, index) => oldest + index),
            );
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('forgets the keys whose time is over', async () => {
    const { nodes, age } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    const [old, young] = [freshKey(), freshKey()];
    await append(log, topic, bodies(1), old);
    await age(2 * HOUR);
    await append(log, topic, bodies(1), young);
    // As if it were 23 hours later: the older key is over, the younger one is not.
    await log.prune(() => ({}), now() + 23 * HOUR);
    expect((await append(log, topic, bodies(1), young)).kind).toBe('replayed');
    expect((await append(log, topic, bodies(1), old)).kind).toBe('appended');
  });

  it('prunes on two nodes at once, under appends, and counts every event once', async () => {
    const { nodes } = harness();
    const topic = freshTopic();
    let writing = true;
    const writers = nodes.map(async ({ log }) => {
      while (writing) {
        await append(log, topic, bodies(5));
        await turn();
      }
    });
    const pruners = nodes.map(async ({ log }) => {
      const counts: number[] = [];
      for (let round = 0; round < 15; round += 1)
        counts.push(await log.prune(only(topic, { events: 20 + round, bytes: 5000 }), now()));
      return counts;
    });
    const forgotten = (await Promise.all(pruners)).flat().reduce((sum, count) => sum + count, 0);
    writing = false;
    await Promise.all(writers);
    const { oldest, latest, bytes } = (await nodes[0].log.topic(topic))!;
    expect(forgotten).toBe(oldest - 1);
    const seen = await readAll(nodes[1].log, topic);
    expect(seen.map((event) => event.seq)).toEqual(
      Array.from({ length: latest - oldest + 1 }, (_, index) => oldest + index),
    );
    await nodes[0].log.prune(only(topic, { events: 0 }), now());
    expect(bytes).toBeGreaterThan(0);
    expect((await nodes[0].log.topic(topic))?.bytes).toBe(0);
  });
}
