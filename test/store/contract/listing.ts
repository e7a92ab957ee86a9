import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Harness } from '../contract.ts';
import { append, bodies, body, bytesOf, freshTopic } from './log.ts';

export function listing(harness: Harness): void {
  it('lists topics with what is to be known of them', async () => {
    const { nodes } = harness();
    const { log } = nodes[0];
    const topic = freshTopic();
    await append(log, topic, bodies(3));
    const { time, epoch } = await append(nodes[1].log, topic, bodies(2));
    const status = { topic, epoch, oldest: 1, latest: 5, bytes: bytesOf([...bodies(3), ...bodies(2)]), updated: time };
    expect(await log.topics({ prefix: topic, limit: 10 })).toEqual([status]);
    expect(await log.topic(topic)).toEqual(status);
  });

  it('takes % and _ in a prefix for what they are', async () => {
    const { log } = harness().nodes[0];
    const base = freshTopic();
    for (const name of ['a%b', 'a_b', 'axb', 'a\\b', 'A%b']) await append(log, `${base}:${name}`, bodies(1));
    const names = async (prefix: string) =>
      (await log.topics({ prefix: `${base}:${prefix}`, limit: 10 })).map(({ topic }) => topic.slice(base.length + 1));
    expect(await names('a%')).toEqual(['a%b']);
    expect(await names('a_')).toEqual(['a_b']);
    expect(await names('a\\')).toEqual(['a\\b']);
    expect(await names('a')).toEqual(['a%b', 'a\\b', 'a_b', 'axb']);
    expect(await names('%')).toEqual([]);
  });

  it('orders names by code point, and goes on after any name, there or not', async () => {
    const { log } = harness().nodes[0];
    const base = freshTopic();
    const name = fc.array(fc.constantFrom('a', 'B', 'z', '~', 'é', '\ud7ff', '\ue000', '\uffee', '🎈', '\u{10fffd}'), {
      minLength: 1,
      maxLength: 3,
    });
    const names = [...new Set(fc.sample(name, 40).map((units) => units.join('')))];
    for (const topic of names) await append(log, `${base}:${topic}`, [body(topic)]);
    const byCodePoint = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    const expected = names.map((topic) => `${base}:${topic}`).toSorted(byCodePoint);
    const all = (await log.topics({ prefix: `${base}:`, limit: 1000 })).map(({ topic }) => topic);
    expect(all).toEqual(expected);
    // Page by page.
    const paged: string[] = [];
    for (let after = ''; ; ) {
      const page = await log.topics({ prefix: `${base}:`, after, limit: 7 });
      paged.push(...page.map(({ topic }) => topic));
      expect(page.length).toBeLessThanOrEqual(7);
      if (page.length < 7) break;
      after = page.at(-1)!.topic;
    }
    expect(paged).toEqual(expected);
    for (const after of [`${base}:M`, `${base}:\ue000`, `${base}:🎈`, `${base}:\u{10ffff}`]) {
      const rest = await log.topics({ prefix: `${base}:`, after, limit: 1000 });
      expect(rest.map(({ topic }) => topic)).toEqual(expected.filter((topic) => byCodePoint(topic, after) > 0));
    }
  });
}
