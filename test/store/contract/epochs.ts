import { expect, it } from 'vitest';
import type { Harness } from '../contract.ts';
import { append, bodies, body, freshKey, freshTopic, readAll, turn } from './log.ts';

export function epochs(harness: Harness): void {
  it('gives every topic its own epoch, the same on every node and at every moment', async () => {
    const { nodes } = harness();
    const [a, b] = [freshTopic(), freshTopic()];
    const first = await append(nodes[0].log, a, bodies(2));
    const second = await append(nodes[1].log, a, bodies(2));
    const other = await append(nodes[1].log, b, bodies(2));
    expect(second.epoch).toBe(first.epoch);
    expect(other.epoch).not.toBe(first.epoch);
    expect((await nodes[1].log.topic(a))?.epoch).toBe(first.epoch);
    expect((await nodes[0].log.read(a, 0, 1)).epoch).toBe(first.epoch);
    expect(first.epoch).toMatch(/^[0-9a-z]{10}$/);
  });

  it('begins again from 1 under a new epoch after a drop', async () => {
    const { nodes } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    const before = await append(log, topic, bodies(500));
    await log.drop(topic);
    const range = (await nodes[1].log.ranges([topic]))[0]!;
    expect(range).toMatchObject({ oldest: 1, latest: 0 });
    expect(range.epoch).not.toBe(before.epoch);
    expect((await log.read(topic, 0, 10)).batches).toEqual([]);
    expect(await log.topic(topic)).toBeUndefined();
    expect(await log.topics({ prefix: topic, limit: 10 })).toEqual([]);
    expect(await log.seek(topic, 0)).toEqual({ epoch: range.epoch, seq: 0 });
    const after = await append(log, topic, [body('new')]);
    expect(after).toMatchObject({ epoch: range.epoch, first: 1 });
    expect((await readAll(log, topic)).map((event) => event.body)).toEqual([body('new')]);
    expect((await log.topic(topic))?.bytes).toBe(Buffer.byteLength(body('new')));
    await log.drop(topic);
    const again = await append(log, topic, [body('newer')]);
    expect(new Set([before.epoch, after.epoch, again.epoch]).size).toBe(3);
  });

  it('answers a write that is repeated after a drop with what became of it then', async () => {
    const { log } = harness().nodes[0];
    const topic = freshTopic();
    const key = freshKey();
    const first = await append(log, topic, bodies(3), key);
    await log.drop(topic);
    expect(await append(log, topic, bodies(3), key)).toEqual({ ...first, kind: 'replayed' });
    expect(await log.topic(topic)).toBeUndefined();
  });

  it('drops in the middle of appends, and loses none that came after', async () => {
    const { nodes } = harness();
    const topic = freshTopic();
    await append(nodes[0].log, topic, bodies(3));
    let writing = true;
    const writers = nodes.map(async ({ log }, node) => {
      const answers = [];
      for (let index = 0; writing; index += 1) {
        const texts = [body([node, index])];
        answers.push({ ...(await append(log, topic, texts)), texts });
        await turn();
      }
      return answers;
    });
    const drops = [];
    for (let drop = 0; drop < 10; drop += 1) {
      const until = (await nodes[0].log.ranges([topic]))[0]!.latest + 5;
      while ((await nodes[1].log.ranges([topic]))[0]!.latest < until) await turn();
      drops.push(nodes[drop % 2]!.log.drop(topic));
      if (drop % 3 === 0) drops.push(nodes[(drop + 1) % 2]!.log.drop(topic));
      await Promise.all(drops);
    }
    const until = (await nodes[0].log.ranges([topic]))[0]!.latest + 50;
    while ((await nodes[1].log.ranges([topic]))[0]!.latest < until) await turn();
    writing = false;
    const answers = (await Promise.all(writers)).flat();
    const page = await nodes[0].log.read(topic, 0, 1);
    const seen = await readAll(nodes[0].log, topic);
    const present = answers.filter(({ epoch }) => epoch === page.epoch).toSorted((a, b) => a.first - b.first);
    expect(seen.map((event) => event.seq)).toEqual(seen.map((_, index) => index + 1));
    expect(present.map(({ first, texts }) => [first, texts[0]])).toEqual(seen.map((event) => [event.seq, event.body]));
    expect((await nodes[0].log.topic(topic))?.bytes).toBe(
      seen.reduce((sum, event) => sum + Buffer.byteLength(event.body), 0),
    );
  });

  it('has other epochs in another store', async () => {
    const { nodes, other } = harness();
    const topic = freshTopic();
    const here = await append(nodes[0].log, topic, bodies(1));
    const store = await other();
    try {
      const there = await append(store.log, topic, bodies(1));
      expect(there.epoch).not.toBe(here.epoch);
      // The topic's half is the same, so that a compound cursor finds its part.
      expect(there.epoch.slice(0, 5)).toBe(here.epoch.slice(0, 5));
    } finally {
      await store.close();
    }
  });

  it('keeps everything across a close', async ({ skip }) => {
    const { reopen } = harness();
    if (reopen === undefined) skip('this store lives as long as its process');
    const topic = freshTopic();
    const key = freshKey();
    const { log } = harness().nodes[0];
    const written = await append(log, topic, bodies(7), key);
    const status = await log.topic(topic);
    const secret = await harness().nodes[0].secret('reopened');
    await harness().reopen?.();
    const [one, two] = harness().nodes;
    expect(await one.log.topic(topic)).toEqual(status);
    expect((await readAll(two.log, topic)).map((event) => event.body)).toEqual(bodies(7));
    expect(await append(one.log, topic, bodies(7), key)).toEqual({ ...written, kind: 'replayed' });
    expect(await append(two.log, topic, bodies(1))).toMatchObject({ epoch: written.epoch, first: 8 });
    expect(await two.secret('reopened')).toEqual(secret);
  });
}
