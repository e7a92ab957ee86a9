/** Section 1: topics and events. */
import { describe, expect } from 'vitest';
import { epochOf, eventsPath, numbers, seqOf } from './client.ts';
import type { Suite } from './target.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Names that are no topics: control characters, white space, `*`, and nothing at all. */
export const BAD_TOPICS = [
  'a b',
  'a\tb',
  'a\nb',
  'a\rb',
  'a\0b',
  'a\u007fb',
  'a\u0085b',
  'a\u00a0b',
  'a\u2028b',
  ' a',
  'a ',
  '*',
  'a:*',
  'a*b',
  'x'.repeat(513),
  `${'é'.repeat(256)}x`,
];

export function topics({ it }: Suite): void {
  describe('1 topics', () => {
    it('counts seq 1, 2, 3 … in each topic on its own, under one epoch', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const ids: string[] = [];
      for (const data of numbers(1, 5)) {
        ids.push((await kit.publish(a, { data })).events[0].id);
        if (data === 3) expect(seqOf((await kit.publish(b, { data })).events[0].id)).toBe(1);
      }
      expect(ids.map(seqOf)).toEqual([1, 2, 3, 4, 5]);
      expect(new Set(ids.map(epochOf)).size).toBe(1);
    });

    it('leaves no gap in seq when many write at once, and the log keeps commit order', async ({ kit }) => {
      const topic = kit.topic();
      const writes = numbers(1, 40).map((writer) => {
        const body = numbers(1, 5).map((n) => ({ data: { writer, n } }));
        return kit.publish(topic, body);
      });
      const answers = await Promise.all(writes);
      const ids: string[] = answers.flatMap((answer) => answer.events.map((event: any) => event.id));
      expect(ids.map(seqOf).sort((a, b) => a - b)).toEqual(numbers(1, 200));
      for (const { events } of answers) {
        const first = seqOf(events[0].id);
        expect(events.map((event: any) => seqOf(event.id))).toEqual(numbers(first, first + 4));
      }
      const { events } = await kit.page(topic, { limit: 1000 });
      expect(events.map((event: any) => seqOf(event.id))).toEqual(numbers(1, 200));
      const byId = new Map(events.map((event: any) => [event.id, event.data]));
      answers.forEach((answer, writer) => {
        answer.events.forEach((event: any, n: number) => {
          expect(byId.get(event.id)).toEqual({ writer: writer + 1, n: n + 1 });
        });
      });
    });

    it.for([
      ['an IRI', (t: string) => `https://example.com/books/1?q=a&b=%41#${t}`],
      ['other scripts and emoji', (t: string) => `${t}:日本語:🎉`],
      ['slashes, dots and colons', (t: string) => `/..//${t}/./::`],
      ['punctuation that URLs care about', (t: string) => `${t}+%2F&=;,?#[]@!$'()|"<>\\^{}\``],
      ['the name of an inherited member', (t: string) => `__proto__:constructor:${t}`],
    ] as const)('addresses a topic percent-encoded in the path: %s', async ([, name], { kit }) => {
      const topic = name(kit.run);
      await kit.publish(topic, { data: 1 });
      const page = await kit.page(topic);
      expect(page.events).toHaveLength(1);
      expect(page.events[0].topic).toBe(topic);
      const many = await kit.ask('GET', '/v1/events', { query: { topic: [topic], format: 'json' } });
      expect(many.json.events).toEqual(page.events);
    });

    it('takes the names that every object has as topics like any other', async ({ kit }) => {
      for (const topic of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
        const before = await kit.page(topic, { after: 'latest' });
        await kit.publish(topic, { data: kit.run });
        const { events } = await kit.page(topic, { after: before.cursor });
        expect(events.map((event: any) => event.data)).toContain(kit.run);
      }
    });

    it('keeps names apart that differ only in case or in Unicode normal form', async ({ kit }) => {
      const names = [`${kit.topic()}:e\u0301`, `${kit.topic()}:\u00e9`, `${kit.topic()}:E\u0301`];
      for (const topic of names) await kit.publish(topic, { data: topic });
      for (const topic of names)
        expect((await kit.page(topic)).events.map((event: any) => event.data)).toEqual([topic]);
    });

    it('allows 512 bytes of UTF-8, counted as bytes', async ({ kit }) => {
      const ascii = `${kit.run}:`.padEnd(512, 'x');
      const wide = `${kit.run}:`.padEnd(kit.run.length + 1 + (511 - kit.run.length) / 2, 'é');
      expect(Buffer.byteLength(wide)).toBeLessThanOrEqual(512);
      for (const topic of [ascii, wide]) {
        await kit.publish(topic, { data: 1 });
        expect((await kit.page(topic)).events[0].topic).toBe(topic);
      }
    });

    it.for(BAD_TOPICS.map((name) => [JSON.stringify(name).slice(0, 24), name] as const))(
      'refuses %s as a topic everywhere with 400',
      async ([, topic], { kit }) => {
        kit.refused(await kit.ask('POST', eventsPath(topic), { body: { data: 1 } }), 400);
        kit.refused(await kit.ask('GET', eventsPath(topic), { query: { format: 'json' } }), 400);
        kit.refused(await kit.ask('GET', eventsPath(topic)), 400);
        kit.refused(await kit.ask('GET', '/v1/events', { query: { topic: [topic, 'a'], format: 'json' } }), 400);
        kit.refused(await kit.ask('POST', '/v1/streams', { body: { topics: [{ topic }] } }), 400);
        kit.refused(await kit.ask('POST', '/v1/tickets', { body: { topics: [topic] } }), 400);
      },
    );

    it('refuses an empty topic', async ({ kit }) => {
      kit.refused(await kit.ask('GET', '/v1/events', { query: { topic: [''], format: 'json' } }), 400);
      kit.refused(await kit.ask('POST', '/v1/streams', { body: { topics: [{ topic: '' }] } }), 400);
    });
  });

  describe('1 events', () => {
    it('gives a plain event id, topic, type, time and data, and nothing else but its actor', async ({ kit }) => {
      const topic = kit.topic();
      const token = await kit.token({ sub: 'ada' });
      await kit.publish(topic, { data: { n: 1 } }, { token });
      const [event] = (await kit.page(topic)).events;
      expect(event).toEqual({
        id: expect.stringMatching(/^[^-].*-1$/),
        topic,
        type: 'message',
        time: expect.stringMatching(TIME),
        data: { n: 1 },
        actor: 'ada',
      });
    });

    it('gives key, mutation and version to the event that has them', async ({ kit }) => {
      const topic = kit.topic();
      const headers = { 'idempotency-key': `m-${kit.run}` };
      await kit.publish(topic, { type: 'moved', data: null, key: 'k 1', version: 3 }, { headers });
      const [event] = (await kit.page(topic)).events;
      expect(event).toMatchObject({ type: 'moved', key: 'k 1', mutation: `m-${kit.run}`, version: 3, data: null });
    });

    it.for([
      ['null', null],
      ['false', false],
      ['zero', 0],
      ['a large number', 1.5e300],
      ['an empty text', ''],
      ['line breaks of every kind', 'a\r\nb\rc\nd\u2028e\u2029f\u0085g\0h'],
      ['text like a field', 'data: x\n\nid: 9\nevent: $close\n\n'],
      ['other scripts, quotes and emoji', '"日本語" \\ 🎉 \u{10ffff}'],
      ['empty list and object', [[], {}]],
      ['nesting', { a: [{ b: { c: [1, [2, [3]]] } }] }],
    ])('carries %s as data unchanged, and the event is the same in every representation', async ([, data], { kit }) => {
      const topic = kit.topic();
      await kit.publish(topic, { data, type: 'sample', key: 'k' });
      const [event] = (await kit.page(topic)).events;
      expect(event.data).toEqual(data);
      const sse = await kit.stream(topic, { after: 'earliest' });
      expect(await sse.events(1)).toEqual([event]);
      const ndjson = await kit.stream(topic, { after: 'earliest', format: 'ndjson' });
      expect(await ndjson.events(1)).toEqual([event]);
    });

    it('keeps members of data that share the name of an inherited one', async ({ kit }) => {
      const topic = kit.topic();
      const body = '{"data":{"__proto__":{"admin":true},"constructor":1,"toString":null}}';
      await kit.publish(topic, body);
      const answer = await kit.ask('GET', eventsPath(topic), { query: { format: 'json' } });
      expect(answer.text).toContain('"__proto__":{"admin":true}');
      expect(answer.text).toContain('"constructor":1');
    });

    it('sets time itself, never backwards within a topic, the same for all events of one write', async ({ kit }) => {
      const topic = kit.topic();
      for (let write = 0; write < 5; write += 1) await kit.publish(topic, [{ data: write }, { data: write }]);
      const { events } = await kit.page(topic);
      const times: string[] = events.map((event: any) => event.time);
      expect([...times].sort()).toEqual(times);
      for (let write = 0; write < 5; write += 1) expect(times[write * 2]).toBe(times[write * 2 + 1]);
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: { data: 1, time: '2020-01-01T00:00:00Z' } }), 400);
    });
  });
}
