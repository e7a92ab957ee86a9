import { expect, it } from 'vitest';
import type { Idempotency } from '../../../src/store/store.ts';
import type { Harness } from '../contract.ts';
import { append, bodies, body, freshKey, freshTopic, readAll } from './log.ts';

const HOUR = 3_600_000;

export function idempotency(harness: Harness): void {
  it('answers a repeated write as the first time, on every node, and appends nothing', async () => {
    const { nodes } = harness();
    const topic = freshTopic();
    const key = freshKey();
    await append(nodes[0].log, topic, bodies(4));
    const first = await append(nodes[0].log, topic, bodies(3), key);
    expect(first).toMatchObject({ kind: 'appended', first: 5, count: 3 });
    await append(nodes[0].log, topic, bodies(4));
    for (const { log } of nodes)
      expect(await append(log, topic, bodies(3), key)).toEqual({ ...first, kind: 'replayed' });
    expect((await readAll(nodes[0].log, topic)).length).toBe(11);
  });

  it('refuses a key that was used for another write, and appends nothing', async () => {
    const { nodes } = harness();
    const topic = freshTopic();
    const key = freshKey();
    await append(nodes[0].log, topic, bodies(1), key);
    for (const { log } of nodes)
      expect(await log.append({ topic, bodies: bodies(2), idempotency: { ...key, digest: 'other' } })).toEqual({
        kind: 'mismatch',
      });
    expect((await readAll(nodes[0].log, topic)).length).toBe(1);
  });

  it('keeps keys of different callers apart, and keys apart by every character', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const base = freshTopic('k');
    const names = ['', 'NULL', 'null', '{}', '"', '\\', 'a,b', "'", ' ', 'a', 'a ', 'A', '🎈', 'é', 'e\u0301'];
    const keys = names.flatMap((name): Idempotency[] => [
      { scope: `${base}${name}`, key: 'k', digest: 'd' },
      { scope: base, key: `kk${name}`, digest: 'd' },
      { scope: `${base}k`, key: name, digest: 'd' },
    ]);
    const write = () => Promise.all(keys.map((key) => append(log, topic, [body(1)], key)));
    const first = await write();
    const again = await write();
    expect(new Set(first.map((answer) => answer.first)).size).toBe(keys.length);
    expect(again).toEqual(first.map((answer) => ({ ...answer, kind: 'replayed' })));
  });

  it('appends once however many send the same write at the same moment, on two nodes', async () => {
    const { nodes } = harness();
    for (let round = 0; round < 15; round += 1) {
      const topic = freshTopic();
      const key = freshKey();
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, index) =>
          index % 3 === 0
            ? append(nodes[index % 2]!.log, topic, [body('filler')]).then(() => undefined)
            : append(nodes[index % 2]!.log, topic, [body('once'), body('twice')], key),
        ),
      );
      const keyed = answers.filter((answer) => answer !== undefined);
      expect(keyed.filter(({ kind }) => kind === 'appended').length).toBe(1);
      expect(new Set(keyed.map(({ first, time }) => `${first} ${time}`)).size).toBe(1);
      const seen = (await readAll(nodes[0].log, topic)).map((event) => event.body);
      expect(seen.filter((text) => text === body('once')).length).toBe(1);
      expect(seen.length).toBe(8 + 2);
    }
  });

  it('lets one of two different writes with the same key win, and tells the other', async () => {
    const { nodes } = harness();
    for (let round = 0; round < 10; round += 1) {
      const topics = [freshTopic(), freshTopic()] as const;
      const key = freshKey();
      const answers = await Promise.all(
        [0, 1].map((side) =>
          nodes[side]!.log.append({
            topic: topics[side]!,
            bodies: bodies(1),
            idempotency: { ...key, digest: `${side}` },
          }),
        ),
      );
      expect(answers.map(({ kind }) => kind).toSorted()).toEqual(['appended', 'mismatch']);
      const ranges = await nodes[0].log.ranges(topics);
      expect(ranges[0]!.latest + ranges[1]!.latest).toBe(1);
    }
  });

  it('does not wait in a circle when nodes use the same keys and topics in different orders', async () => {
    const { nodes } = harness();
    const topics = Array.from({ length: 6 }, () => freshTopic());
    const scope = freshTopic('scope');
    const rounds = Array.from({ length: 40 }, (_, round) => round);
    const answers = await Promise.all(
      nodes.flatMap(({ log }, side) =>
        rounds.map((round) => {
          const place = side === 0 ? round : rounds.length - 1 - round;
          const idempotency = { scope, key: String(place), digest: 'd' };
          return append(log, topics[place % topics.length]!, [body(place)], idempotency);
        }),
      ),
    );
    expect(answers.filter(({ kind }) => kind === 'appended').length).toBe(rounds.length);
  });

  it('forgets a key after 24 hours, and not before', async () => {
    const { nodes, age } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    const key = freshKey();
    await append(log, topic, bodies(1), key);
    await age(23 * HOUR);
    expect((await append(log, topic, bodies(1), key)).kind).toBe('replayed');
    await age(HOUR + 1000);
    // Also for another write.
    const again = await append(log, topic, bodies(2), { ...key, digest: 'other' });
    expect(again).toMatchObject({ kind: 'appended', first: 2, count: 2 });
    expect(await append(nodes[1].log, topic, bodies(2), { ...key, digest: 'other' })).toEqual({
      ...again,
      kind: 'replayed',
    });
  });

  it('never remembers a key without its events', async ({ skip }) => {
    const { nodes, poison } = harness();
    if (poison === undefined) return skip('no append of this store fails half-way');
    const { log } = nodes[0];
    const key = freshKey();
    const good = freshTopic();
    const goodKey = freshKey();
    const outcomes = await Promise.allSettled([
      append(log, good, [body('a')], goodKey),
      append(log, poison, [body('never')], key),
      append(log, good, [body('b')]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    // The key is free: the same write elsewhere is a first one, not a repetition.
    const topic = freshTopic();
    expect(await append(log, topic, [body('now')], key)).toMatchObject({ kind: 'appended', first: 1 });
    expect((await append(nodes[1].log, good, [body('a')], goodKey)).kind).toBe('replayed');
    expect((await readAll(log, good)).map((event) => event.body).toSorted()).toEqual([body('a'), body('b')]);
  });

  it('keeps the order of a topic around writes with keys', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const key = freshKey();
    const answers = await Promise.all([
      append(log, topic, [body(0)]),
      append(log, topic, [body(1)], key),
      append(log, topic, [body(2)]),
      append(log, topic, [body(1)], key),
      append(log, topic, [body(3)]),
      append(log, topic, [body(4)], freshKey()),
      append(log, topic, [body(5)]),
    ]);
    expect(answers.map(({ kind, first }) => [kind, first])).toEqual([
      ['appended', 1],
      ['appended', 2],
      ['appended', 3],
      ['replayed', 2],
      ['appended', 4],
      ['appended', 5],
      ['appended', 6],
    ]);
    expect((await readAll(log, topic)).map((event) => event.body)).toEqual(
      [0, 1, 2, 3, 4, 5].map((data) => body(data)),
    );
  });
}
