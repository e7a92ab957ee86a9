import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Harness } from '../contract.ts';
import { append, bodies, body, bytesOf, freshTopic, readAll, turn } from './log.ts';

export function compacting(harness: Harness): void {
  it('keeps the newest event of each key and every event without one, each with its seq', async () => {
    const { nodes } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    await append(log, topic, [body(1, 'a'), body(2), body(3, 'b'), body(4, 'a')]);
    await append(log, topic, [body(5, 'b')]);
    await append(log, topic, [body({ key: 'a' }), body(7, 'c')]);
    expect(await log.compact(topic, 7)).toBe(2);
    const kept = [
      [2, body(2)],
      [4, body(4, 'a')],
      [5, body(5, 'b')],
      [6, body({ key: 'a' })],
      [7, body(7, 'c')],
    ];
    for (const { log } of nodes)
      expect((await readAll(log, topic)).map((event) => [event.seq, event.body])).toEqual(kept);
    expect(await log.topic(topic)).toMatchObject({
      oldest: 1,
      latest: 7,
      bytes: bytesOf(kept.map(([, text]) => String(text))),
    });
    expect(await log.compact(topic, 7)).toBe(0);
    expect(await append(log, topic, [body(8, 'a')])).toMatchObject({ first: 8 });
    expect(await log.compact(topic, 8)).toBe(1);
  });

  it('takes away nothing after `upTo`, but lets what lies there supersede', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    await append(log, topic, [body(1, 'a'), body(2, 'a'), body(3, 'a'), body(4, 'a')]);
    expect(await log.compact(topic, 2)).toBe(2);
    expect((await readAll(log, topic)).map((event) => event.seq)).toEqual([3, 4]);
    expect(await log.compact(topic, 0)).toBe(0);
  });

  it('reads on over holes from every position, whole batches of them included', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    for (let batch = 0; batch < 6; batch += 1) await append(log, topic, [body(batch, 'a'), body(batch, 'b')]);
    await append(log, topic, bodies(1));
    await append(log, topic, [body('last', 'a')]);
    expect(await log.compact(topic, 14)).toBe(11);
    for (let after = 0; after <= 14; after += 1) {
      for (const limit of [1, 2, 1000])
        expect((await readAll(log, topic, after, limit)).map((event) => event.seq)).toEqual(
          [12, 13, 14].filter((seq) => seq > after),
        );
    }
    expect(await log.seek(topic, 0)).toMatchObject({ seq: expect.any(Number) });
    expect((await log.seek(topic, 0)).seq).toBeLessThan(12);
  });

  it('gives at least one event if there is one, though holes lie before it', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    // The first batch keeps an event, so it stays; what follows that event in it goes.
    await append(log, topic, [body('stays'), ...Array.from({ length: 20 }, (_, index) => body(index, 'a'))]);
    await append(log, topic, [body('also'), ...Array.from({ length: 20 }, (_, index) => body(index, 'a'))]);
    await append(log, topic, [body('newest', 'a')]);
    expect(await log.compact(topic, 43)).toBe(40);
    const page = await log.read(topic, 1, 1);
    const events = page.batches.flatMap(({ first, bodies }) =>
      bodies.flatMap((text, index) => (text !== '' && first + index > 1 ? [first + index] : [])),
    );
    expect(events[0]).toBe(22);
  });

  it('leaves only what a reader of the newest state needs, over any log', async () => {
    const { log } = harness().nodes[0];
    const event = fc.record({
      data: fc.nat(9),
      key: fc.option(fc.constantFrom('a', 'b', '__proto__', '"', ''), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(event, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        async (batches, place) => {
          const topic = freshTopic();
          const all = batches.flat();
          for (const batch of batches)
            await append(
              log,
              topic,
              batch.map(({ data, key }) => body(data, key)),
            );
          const upTo = place % (all.length + 1);
          const kept = all.flatMap(({ data, key }, index) => {
            const superseded = key !== undefined && all.some((later, at) => at > index && later.key === key);
            return superseded && index + 1 <= upTo ? [] : [{ seq: index + 1, body: body(data, key) }];
          });
          expect(await log.compact(topic, upTo)).toBe(all.length - kept.length);
          expect((await readAll(log, topic)).map(({ seq, body }) => ({ seq, body }))).toEqual(kept);
          expect((await log.topic(topic))?.bytes).toBe(bytesOf(kept.map((event) => event.body)));
          expect(await log.compact(topic, upTo)).toBe(0);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('works while others append, prune and compact', async () => {
    const { nodes } = harness();
    const topic = freshTopic();
    for (let batch = 0; batch < 50; batch += 1) await append(nodes[0].log, topic, [body(batch, 'k'), body(batch)]);
    let writing = true;
    const writers = nodes.map(async ({ log }, node) => {
      for (let index = 0; writing; index += 1) {
        await append(log, topic, [body([node, index], `k${index % 3}`), body(index)]);
        await turn();
      }
    });
    await Promise.all(
      nodes.map(async ({ log }, node) => {
        for (let round = 0; round < 8; round += 1) {
          await log.compact(topic, (await log.ranges([topic]))[0]!.latest);
          if (node === 1) await log.prune((name) => (name === topic ? { events: 60 } : {}), harness().now());
        }
      }),
    );
    writing = false;
    await Promise.all(writers);
    const { latest } = (await nodes[0].log.ranges([topic]))[0]!;
    await nodes[0].log.compact(topic, latest);
    const seen = await readAll(nodes[0].log, topic);
    const keyed = seen.map((event) => JSON.parse(`{${event.body}`)).filter((event) => event.key?.startsWith('k'));
    expect(new Set(keyed.map((event) => event.key)).size).toBe(keyed.length);
    await nodes[0].log.prune((name) => (name === topic ? { events: 0 } : {}), harness().now());
    expect((await nodes[0].log.topic(topic))?.bytes).toBe(0);
  });
}
