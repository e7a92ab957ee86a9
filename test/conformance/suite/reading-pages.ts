/** Section 2: pages and the long poll. */
import { describe, expect } from 'vitest';
import { eventsPath, type Kit, numbers, seqOf } from './client.ts';
import type { Suite } from './target.ts';

/** Walks pages from the beginning to the end of what is there. */
async function walk(kit: Kit, path: string, query: Record<string, any>): Promise<{ events: any[]; sizes: number[] }> {
  const events: any[] = [];
  const sizes: number[] = [];
  let after: string | undefined = 'earliest';
  for (;;) {
    const answer = await kit.ask('GET', path, { query: { format: 'json', ...query, after } });
    expect(answer.status, answer.text).toBe(200);
    events.push(...answer.json.events);
    sizes.push(answer.json.events.length);
    if (!answer.json.more) return { events, sizes };
    expect(answer.json.cursor, 'a page with more after it moves on').not.toBe(after);
    after = answer.json.cursor;
    expect(sizes.length).toBeLessThan(2000);
  }
}

const data = (events: readonly any[]): unknown[] => events.map((event) => event.data);

export function readingPages({ it }: Suite): void {
  describe('2 pages', () => {
    it.for([
      ['Accept: application/json', { accept: 'application/json' }, {}],
      ['format=json', { accept: 'text/event-stream' }, { format: 'json' }],
    ] as const)('is {events, cursor, more} with %s, from the earliest', async ([, headers, query], { kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 3);
      const answer = await kit.ask('GET', eventsPath(topic), { headers: { ...headers }, query });
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      expect(Object.keys(answer.json).sort()).toEqual(['cursor', 'events', 'more']);
      expect(answer.json).toMatchObject({ cursor: ids[2], more: false });
      expect(answer.json.events.map((event: any) => event.id)).toEqual(ids);
    });

    it('answers an empty page with a usable cursor for a topic never written to', async ({ kit }) => {
      const topic = kit.topic();
      const empty = await kit.page(topic);
      expect(empty).toMatchObject({ events: [], more: false, cursor: expect.any(String) });
      await kit.publishNumbers(topic, 1, 2);
      const next = await kit.page(topic, { after: empty.cursor });
      expect(data(next.events)).toEqual([1, 2]);
      expect(next.gap).toBeUndefined();
    });

    it.for([1, 7, 99, 100, 101])('gives exactly the log when walked with limit=%s', async (limit, { kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 100);
      const { events, sizes } = await walk(kit, eventsPath(topic), { limit });
      expect(data(events)).toEqual(numbers(1, 100));
      for (const size of sizes) expect(size).toBeLessThanOrEqual(limit);
    });

    it('reads each topic from its own place and by its own filter, with a body', async ({ kit }) => {
      const [a, b, c] = [kit.topic('a'), kit.topic('b'), kit.topic('c')];
      const ids = await kit.publishNumbers(a, 1, 4);
      await kit.publishNumbers(b, 1, 4);
      await kit.publishNumbers(c, 1, 2);
      const topics = [
        { topic: a, after: ids[1] },
        { topic: b, last: 1 },
        { topic: c, filter: ['data=gt.9'] },
      ];
      const page = await kit.ask('POST', '/v1/streams', { body: { topics, format: 'json', limit: 100 } });
      expect(page.status).toBe(200);
      const of = (topic: string) => data(page.json.events.filter((event: any) => event.topic === topic));
      expect([of(a), of(b), of(c), page.json.more]).toEqual([[3, 4], [4], [], false]);
      // The cursor holds them all, and is good for the next one, which waits.
      const after = page.json.cursor;
      const next = kit.ask('POST', '/v1/streams', {
        body: { topics: topics.map(({ topic }) => ({ topic, after })), format: 'json', wait: 30 },
      });
      await kit.publishNumbers(c, 10, 10);
      expect(data((await next).json.events)).toEqual([10]);
    });

    it('gives exactly the log of several topics when walked', async ({ kit }) => {
      const topics = [kit.topic('a'), kit.topic('b'), kit.topic('c')];
      for (const [index, topic] of topics.entries()) await kit.publishNumbers(topic, 1, 10 * (index + 1));
      const { events, sizes } = await walk(kit, '/v1/events', { topic: topics, limit: 7 });
      for (const [index, topic] of topics.entries())
        expect(data(events.filter((event) => event.topic === topic))).toEqual(numbers(1, 10 * (index + 1)));
      for (const size of sizes) expect(size).toBeLessThanOrEqual(7);
    });

    it('holds at most 1000 events, and says that there is more', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 1500);
      const page = await kit.page(topic, { limit: 1000 });
      expect(page.events).toHaveLength(1000);
      expect(page.more).toBe(true);
      expect((await kit.page(topic)).events.length).toBeLessThanOrEqual(1000);
      expect(data((await kit.page(topic, { after: page.cursor, limit: 1000 })).events)).toEqual(numbers(1001, 1500));
    });

    it.for(['0', '1001', '-1', '1.5', 'ten', '', '1e2', '9'.repeat(30)])('refuses limit=%s', async (limit, { kit }) => {
      kit.refused(await kit.ask('GET', eventsPath(kit.topic()), { query: { format: 'json', limit } }), 400);
    });

    it('hands over to a stream with nothing missed and nothing repeated', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 10);
      const page = await kit.page(topic, { limit: 4 });
      await kit.publishNumbers(topic, 11, 12);
      const stream = await kit.stream(topic, { after: page.cursor });
      expect(data(await stream.events(8))).toEqual(numbers(5, 12));
    });

    it('is empty after the latest', async ({ kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 3);
      expect(await kit.page(topic, { after: 'latest' })).toMatchObject({ events: [], more: false, cursor: ids[2] });
      expect(await kit.page(topic, { after: ids[2] })).toMatchObject({ events: [], more: false, cursor: ids[2] });
    });

    it('shows a write as soon as it has been acknowledged', async ({ kit }) => {
      const topic = kit.topic();
      for (const n of numbers(1, 20)) {
        const { cursor } = await kit.publish(topic, { data: n });
        const page = await kit.page(topic, { last: 1 });
        expect(page).toMatchObject({ cursor, more: false });
        expect(seqOf(page.events[0].id)).toBe(n);
      }
    });
  });

  describe('2 long poll', () => {
    it('answers at once if anything lies after the cursor', async ({ kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 3);
      const started = Date.now();
      const page = await kit.page(topic, { wait: 30, after: ids[0] });
      expect(Date.now() - started).toBeLessThan(5000);
      expect(data(page.events)).toEqual([2, 3]);
    });

    it('answers when something comes', async ({ kit }) => {
      const topic = kit.topic();
      const [id] = await kit.publishNumbers(topic, 1, 1);
      const started = Date.now();
      const poll = kit.page(topic, { wait: 30, after: id });
      // Whether the poll or the event comes first, the answer must be the same.
      await kit.publish(topic, { data: 2 });
      const page = await poll;
      expect(Date.now() - started).toBeLessThan(10_000);
      expect(data(page.events)).toEqual([2]);
    });

    it('is empty at its deadline, and its cursor still good', async ({ kit }) => {
      const topic = kit.topic();
      const [id] = await kit.publishNumbers(topic, 1, 1);
      const started = Date.now();
      const page = await kit.page(topic, { wait: 1, after: id });
      expect(Date.now() - started).toBeGreaterThan(800);
      expect(Date.now() - started).toBeLessThan(6000);
      expect(page).toMatchObject({ events: [], more: false, cursor: id });
    });

    it('starts live without a cursor, and hands over what comes between two polls', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 3);
      const first = await kit.page(topic, { wait: 1 });
      expect(first.events).toEqual([]);
      await kit.publishNumbers(topic, 4, 5);
      expect(data((await kit.page(topic, { wait: 30, after: first.cursor })).events)).toEqual([4, 5]);
    });

    it('loses and repeats nothing from poll to poll, while others write', async ({ kit }) => {
      const topic = kit.topic();
      const writer = (async () => {
        for (const n of numbers(1, 150)) await kit.publish(topic, { data: n });
      })();
      const events: any[] = [];
      let after = 'earliest';
      while (events.length < 150) {
        const page = await kit.page(topic, { wait: 10, after, limit: 20 });
        expect(page.events.length, 'a poll answered empty while events were being written').toBeGreaterThan(0);
        events.push(...page.events);
        after = page.cursor;
      }
      await writer;
      expect(data(events)).toEqual(numbers(1, 150));
    });

    it('waits for any of several topics', async ({ kit }) => {
      const topics = [kit.topic('a'), kit.topic('b')];
      const start = await kit.ask('GET', '/v1/events', { query: { topic: topics, format: 'json' } });
      const query = { topic: topics, format: 'json', wait: 30, after: start.json.cursor };
      const poll = kit.ask('GET', '/v1/events', { query });
      await kit.publish(topics[1] ?? '', { data: 'b' });
      const page = (await poll).json;
      expect(data(page.events)).toEqual(['b']);
      await kit.publish(topics[0] ?? '', { data: 'a' });
      const next = await kit.ask('GET', '/v1/events', { query: { ...query, after: page.cursor } });
      expect(data(next.json.events)).toEqual(['a']);
    });

    it('waits on while only events come that it did not ask for', async ({ kit }) => {
      const topic = kit.topic();
      const { cursor } = await kit.page(topic);
      const poll = kit.page(topic, { wait: 30, after: cursor, types: 'wanted' });
      for (const n of numbers(1, 5)) await kit.publish(topic, { data: n, type: 'noise' });
      await kit.publish(topic, { data: 'found', type: 'wanted' });
      const page = await poll;
      expect(data(page.events)).toEqual(['found']);
      expect(seqOf(page.cursor)).toBe(6);
    });

    it.for(['61', '-1', 'soon', '1.5'])('refuses wait=%s', async (wait, { kit }) => {
      kit.refused(await kit.ask('GET', eventsPath(kit.topic()), { query: { format: 'json', wait } }), 400);
    });
  });
}
