/** Section 2: several topics on one connection, and NDJSON. */
import { describe, expect } from 'vitest';
import { numbers, seqOf } from './client.ts';
import type { Suite } from './target.ts';

/** The data of the events of one topic, in the order that they came. */
const of = (events: readonly any[], topic: string): unknown[] =>
  events.filter((event) => event.topic === topic).map((event) => event.data);

export function readingMany({ it }: Suite): void {
  describe('2 several topics', () => {
    it('resumes every topic from the one Last-Event-ID, also those that were silent', async ({ kit }) => {
      const [a, b, c] = [kit.topic('a'), kit.topic('b'), kit.topic('c')];
      const first = await kit.streams([a, b, c]);
      await first.control('ready');
      await kit.publishNumbers(a, 1, 5);
      await kit.publishNumbers(b, 1, 3);
      await first.events(8);
      const id = first.frames.at(-1)?.id;
      first.close();
      await kit.publishNumbers(a, 6, 7);
      await kit.publishNumbers(b, 4, 9);
      await kit.publishNumbers(c, 1, 2);
      const second = await kit.streams([a, b, c], {}, { headers: { 'last-event-id': id ?? '' } });
      const events = await second.events(10);
      expect([of(events, a), of(events, b), of(events, c)]).toEqual([[6, 7], numbers(4, 9), [1, 2]]);
      await second.control('ready');
      expect(second.frames.filter((frame) => frame.control === 'gap')).toEqual([]);
    });

    it('loses and repeats nothing wherever it is cut: each block’s id holds every topic’s position', async ({
      kit,
    }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      await kit.publishNumbers(a, 1, 6);
      await kit.publishNumbers(b, 1, 6);
      const whole = await kit.streams([a, b], { after: 'earliest' });
      await whole.events(12);
      const sent = whole.frames.filter((frame) => frame.control === undefined);
      for (const at of [1, 5, 6, 9, 12]) {
        const seen = sent.slice(0, at).map((frame) => frame.data);
        const rest = await kit.streams([a, b], { lastEventId: sent[at - 1]?.id });
        await rest.control('ready');
        const after = rest.frames.filter((frame) => frame.control === undefined).map((frame) => frame.data);
        const events = [...seen, ...after];
        expect([of(events, a), of(events, b)], `cut after ${at}`).toEqual([numbers(1, 6), numbers(1, 6)]);
        rest.close();
      }
    });

    it('leaves the event’s own id inside the JSON', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const [idA] = await kit.publishNumbers(a, 1, 1);
      const [idB] = await kit.publishNumbers(b, 1, 1);
      const stream = await kit.streams([a, b], { after: 'earliest' });
      const events = await stream.events(2);
      expect(new Set(events.map((event) => event.id))).toEqual(new Set([idA, idB]));
    });

    it('keeps each topic’s order while all are written to at once', async ({ kit }) => {
      const topics = numbers(1, 4).map(() => kit.topic());
      const stream = await kit.streams(topics);
      await stream.control('ready');
      const writes = topics.map(async (topic) => {
        for (const n of numbers(1, 25)) await kit.publish(topic, { data: n });
      });
      const events = await stream.events(100, 20_000);
      await Promise.all(writes);
      for (const topic of topics) {
        expect(of(events, topic)).toEqual(numbers(1, 25));
        expect(events.filter((event) => event.topic === topic).map((event) => seqOf(event.id))).toEqual(numbers(1, 25));
      }
    });

    it('serves 50 topics on one connection, and resumes them all', async ({ kit }) => {
      const topics = numbers(1, 50).map(() => kit.topic());
      const stream = await kit.streams(topics);
      expect((await stream.control('open')).data.topics).toEqual(topics);
      await stream.control('ready');
      for (const topic of topics) await kit.publish(topic, { data: 'one' });
      const events = await stream.events(50);
      expect(new Set(events.map((event) => event.topic))).toEqual(new Set(topics));
      const id = stream.frames.at(-1)?.id ?? '';
      stream.close();
      for (const topic of topics) await kit.publish(topic, { data: 'two' });
      const again = await kit.streams(topics, {}, { headers: { 'last-event-id': id } });
      const rest = await again.events(50);
      expect(rest.every((event) => event.data === 'two')).toBe(true);
      expect(new Set(rest.map((event) => event.topic))).toEqual(new Set(topics));
    });

    it('refuses 51 topics and none', async ({ kit }) => {
      const topics = numbers(1, 51).map((n) => `t${n}`);
      kit.refused(await kit.ask('GET', '/v1/events', { query: { topic: topics } }), 400);
      kit.refused(await kit.ask('GET', '/v1/events'), 400);
    });
  });

  describe('2 NDJSON', () => {
    it.for([
      ['Accept: application/x-ndjson', { accept: 'application/x-ndjson' }, {}],
      ['format=ndjson', {}, { format: 'ndjson' }],
    ] as const)('is one JSON object a line, streamed, with %s', async ([, headers, query], { kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic, query, { headers: { ...headers } });
      expect(stream.response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
      await stream.control('ready');
      await kit.publish(topic, { data: 'a\nb\u2028c' });
      const [event] = await stream.events(1);
      expect(event).toEqual((await kit.page(topic)).events[0]);
    });

    it('carries controls as {"control": name, …}', async ({ kit }) => {
      const topic = kit.topic();
      const [id = ''] = await kit.publishNumbers(topic, 1, 1);
      const stream = await kit.stream(topic, { format: 'ndjson', after: id.replace(/-1$/, '-77') });
      const open = await stream.control('open');
      expect(open.data).toMatchObject({ control: 'open', stream: expect.any(String), heartbeat: 25, topics: [topic] });
      expect((await stream.control('gap')).data).toMatchObject({ control: 'gap', topic, reason: 'ahead' });
      expect((await stream.control('ready')).data).toMatchObject({ control: 'ready', cursor: expect.any(String) });
    });

    it('is resumed by the id of an event', async ({ kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 10);
      const stream = await kit.stream(topic, { format: 'ndjson', after: ids[3] });
      expect((await stream.events(6)).map((event) => event.data)).toEqual(numbers(5, 10));
    });

    it('carries several topics and resumes them by the cursor of $ready', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      await kit.publishNumbers(a, 1, 2);
      const first = await kit.streams([a, b], { format: 'ndjson', after: 'earliest' });
      const { cursor } = (await first.control('ready')).data;
      first.close();
      await kit.publishNumbers(a, 3, 4);
      await kit.publishNumbers(b, 1, 2);
      const second = await kit.streams([a, b], { format: 'ndjson', after: cursor });
      const events = await second.events(4);
      expect([of(events, a), of(events, b)]).toEqual([
        [3, 4],
        [1, 2],
      ]);
    });
  });
}
