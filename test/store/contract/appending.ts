import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Harness } from '../contract.ts';
import { append, bodies, body, bytesOf, freshTopic, readAll, turn } from './log.ts';

export function appending(harness: Harness): void {
  it('counts the events of a topic from 1, adjacent within an append', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const before = harness().now();
    const one = await append(log, topic, [body('a')]);
    const three = await append(log, topic, [body('b'), body('c'), body('d')]);
    const another = await append(log, freshTopic(), [body('x')]);
    expect(one).toMatchObject({ kind: 'appended', first: 1, count: 1 });
    expect(three).toMatchObject({ kind: 'appended', first: 2, count: 3 });
    expect(another.first).toBe(1);
    expect(one.time).toBeGreaterThan(before - 60_000);
    expect(one.time).toBeLessThan(harness().now() + 60_000);
    expect((await readAll(log, topic)).map((event) => [event.seq, event.body])).toEqual(
      ['a', 'b', 'c', 'd'].map((data, index) => [index + 1, body(data)]),
    );
  });

  it('keeps bodies as they are, whatever is in them', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const data = [
      '',
      '\u0000',
      '\n\r\u2028',
      '\ud800',
      '🎈',
      '\\',
      '"',
      '{}',
      'NULL',
      ',',
      "'",
      '$1',
      '%s',
      null,
      [],
      { a: {} },
    ];
    const texts = data.map((value) => body(value));
    await append(log, topic, texts);
    for (const text of texts) await append(log, topic, [text]);
    expect((await readAll(log, topic)).map((event) => event.body)).toEqual([...texts, ...texts]);
  });

  it('keeps topics apart whatever their names', async () => {
    const { log } = harness().nodes[0];
    const base = freshTopic();
    const names = ['NULL', 'null', '{}', '{a,b}', '"', '\\', ',', "'", '🎈', 'é', 'e\u0301', '%', '_', 'a'.repeat(400)];
    const topics = names.map((name) => `${base}:${name}`);
    await Promise.all(topics.map((topic) => append(log, topic, [body(topic)])));
    for (const topic of topics) expect((await readAll(log, topic)).map((event) => event.body)).toEqual([body(topic)]);
  });

  it('takes an append of 1,000 events and one of a megabyte', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const large = body('x'.repeat(1024 * 1024));
    await append(log, topic, bodies(1000));
    expect(await append(log, topic, [large])).toMatchObject({ first: 1001 });
    const seen = await readAll(log, topic);
    expect(seen.length).toBe(1001);
    expect(seen[1000]?.body === large).toBe(true);
  });

  it('lets time stand still within a topic rather than go back', async () => {
    const { nodes, age } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    const first = await append(log, topic, [body(1)]);
    await age(-3_600_000);
    const second = await append(log, topic, [body(2)]);
    const third = await append(log, topic, [body(3)]);
    await age(3_600_000);
    expect(second.time).toBeGreaterThanOrEqual(first.time);
    expect(third.time).toBeGreaterThanOrEqual(second.time);
    const times = (await readAll(log, topic)).map((event) => event.time);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('counts the bytes of the bodies', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const texts = [body('a'), body('é🎈'), body('x'.repeat(1000))];
    await append(log, topic, texts);
    await Promise.all(texts.map((text) => append(log, topic, [text])));
    expect((await log.topic(topic))?.bytes).toBe(2 * bytesOf(texts));
  });

  it('gives every topic a log without holes, in order of arrival, under any schedule of writers on two nodes', async () => {
    const step = fc.record({
      node: fc.nat(1),
      topic: fc.nat(3),
      count: fc.integer({ min: 1, max: 7 }),
      keyed: fc.boolean(),
      /** Turns of the event loop before the next step. */
      turns: fc.oneof(
        { weight: 3, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }) },
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120 }), async (steps) => {
        const { nodes } = harness();
        const topics = Array.from({ length: 4 }, (_, index) => freshTopic(`t${index}`));
        const scope = freshTopic('scope');
        const writes = [];
        for (const [index, { node, topic, count, keyed, turns }] of steps.entries()) {
          const name = topics[topic]!;
          const texts = Array.from({ length: count }, (_, place) => body([index, place]));
          const idempotency = keyed ? { scope, key: String(index), digest: 'd' } : undefined;
          const answer = append(nodes[node]!.log, name, texts, idempotency);
          writes.push({ node, name, texts, answer });
          for (let passed = 0; passed < turns; passed += 1) await turn();
        }
        const answers = await Promise.all(writes.map((write) => write.answer));
        for (const name of topics) {
          const seen = await readAll(nodes[0].log, name);
          const total = writes.filter((write) => write.name === name).reduce((sum, { texts }) => sum + texts.length, 0);
          expect(seen.map((event) => event.seq)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
          const times = seen.map((event) => event.time);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          const last = [0, 0];
          writes.forEach((write, index) => {
            if (write.name !== name) return;
            const { first, time } = answers[index]!;
            // What was said at the time is what is read now, in one piece.
            const place = seen.slice(first - 1, first - 1 + write.texts.length);
            expect(place.map((event) => event.body)).toEqual(write.texts);
            expect(new Set(place.map((event) => event.time))).toEqual(new Set([time]));
            // Two appends of one node to one topic keep their order.
            expect(first).toBeGreaterThan(last[write.node]!);
            last[write.node] = first;
          });
        }
      }),
      { numRuns: 25 },
    );
  });

  it('takes many writers on many topics at once', async () => {
    const { nodes } = harness();
    const topics = Array.from({ length: 20 }, () => freshTopic());
    const writers = Array.from({ length: 32 }, async (_, writer) => {
      const { log } = nodes[writer % 2]!;
      const firsts: [string, number][] = [];
      for (let round = 0; round < 20; round += 1) {
        const topic = topics[(writer * 7 + round) % topics.length]!;
        firsts.push([topic, (await append(log, topic, bodies(3))).first]);
      }
      return firsts;
    });
    const answers = (await Promise.all(writers)).flat();
    for (const topic of topics) {
      const firsts = answers.filter(([name]) => name === topic).map(([, first]) => first);
      expect(firsts.toSorted((a, b) => a - b)).toEqual(firsts.map((_, index) => index * 3 + 1));
      expect((await nodes[1].log.ranges([topic]))[0]).toMatchObject({ oldest: 1, latest: firsts.length * 3 });
    }
  });
}
