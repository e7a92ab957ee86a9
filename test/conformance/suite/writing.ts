/** Section 3: writing. */
import { describe, expect } from 'vitest';
import { eventsPath, numbers, seqOf } from './client.ts';
import type { Suite } from './target.ts';

const data = (events: readonly any[]): unknown[] => events.map((event) => event.data);

/** Events that nobody may publish, each for one reason. */
const BAD_EVENTS: readonly (readonly [string, unknown])[] = [
  ['no data', { type: 'x' }],
  ['an unknown member', { data: 1, colour: 'red' }],
  ['a type that is no text', { data: 1, type: 7 }],
  ['an empty type', { data: 1, type: '' }],
  ['the type $open', { data: 1, type: '$open' }],
  ['any type that begins with $', { data: 1, type: '$mine' }],
  ['a line feed in the type', { data: 1, type: 'a\nb' }],
  ['a carriage return in the type', { data: 1, type: 'a\rb' }],
  ['NUL in the type', { data: 1, type: 'a\0b' }],
  ['a key that is no text', { data: 1, key: 7 }],
  ['a line feed in the key', { data: 1, key: 'a\nb' }],
  ['NUL in the key', { data: 1, key: 'a\0b' }],
  ['an ephemeral that is no boolean', { data: 1, ephemeral: 'yes' }],
  ['a list in a list', [{ data: 1 }]],
  ['null', null],
  ['a number', 1],
  ['a text', 'text'],
];

export function writing({ it }: Suite): void {
  describe('3 publish', () => {
    it('answers 201 {events: [{id, …}], cursor} once the event can be read', async ({ kit }) => {
      const topic = kit.topic();
      const answer = await kit.ask('POST', eventsPath(topic), { body: { data: { a: 1 }, type: 'created' } });
      expect(answer.status).toBe(201);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      expect(answer.json.events).toHaveLength(1);
      expect(answer.json.cursor).toBe(answer.json.events[0].id);
      const page = await kit.page(topic);
      expect(page.events[0]).toMatchObject({ id: answer.json.cursor, type: 'created', data: { a: 1 } });
    });

    it('appends an array in order, adjacent, and answers an id for each', async ({ kit }) => {
      const topic = kit.topic();
      const answer = await kit.publish(
        topic,
        numbers(1, 1000).map((n) => ({ data: n })),
      );
      expect(answer.events.map((event: any) => seqOf(event.id))).toEqual(numbers(1, 1000));
      expect(answer.cursor).toBe(answer.events[999].id);
      expect(data((await kit.page(topic, { limit: 1000 })).events)).toEqual(numbers(1, 1000));
    });

    it('appends NDJSON as it appends an array, with any line break and without the last', async ({ kit }) => {
      const type = 'application/x-ndjson';
      for (const body of ['{"data":1}\n{"data":2}\n', '{"data":1}\r\n{"data":2}\r\n', '{"data":1}\n{"data":2}']) {
        const topic = kit.topic();
        const answer = await kit.publish(topic, body, { type });
        expect(answer.events).toHaveLength(2);
        expect(data((await kit.page(topic)).events)).toEqual([1, 2]);
      }
    });

    it('takes a charset parameter on the media type', async ({ kit }) => {
      await kit.publish(kit.topic(), { data: 'é' }, { type: 'application/json; charset=utf-8' });
    });

    it.for(BAD_EVENTS)('refuses %s with 400, and appends nothing', async ([, bad], { kit }) => {
      const topic = kit.topic();
      // A list alone is a write of its own: that one is refused only within another.
      if (!Array.isArray(bad))
        kit.refused(await kit.ask('POST', eventsPath(topic), { body: JSON.stringify(bad) }), 400);
      const body = [{ data: 1 }, bad, { data: 2 }];
      kit.refused(await kit.ask('POST', eventsPath(topic), { body }), 400);
      const lines = body.map((line) => JSON.stringify(line)).join('\n');
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: lines, type: 'application/x-ndjson' }), 400);
      expect((await kit.page(topic)).events).toEqual([]);
      expect(seqOf((await kit.publish(topic, { data: 1 })).cursor)).toBe(1);
    });

    it('refuses an empty array and an empty body', async ({ kit }) => {
      const path = eventsPath(kit.topic());
      kit.refused(await kit.ask('POST', path, { body: [] }), 400);
      kit.refused(await kit.ask('POST', path, { body: '' }), 400);
      kit.refused(await kit.ask('POST', path, { body: '\n\n', type: 'application/x-ndjson' }), 400);
    });

    it('refuses more than 1000 events in one write, all of them', async ({ kit }) => {
      const topic = kit.topic();
      const body = numbers(1, 1001).map((n) => ({ data: n }));
      kit.refused(await kit.ask('POST', eventsPath(topic), { body }), 400, 413, 422);
      expect((await kit.page(topic)).events).toEqual([]);
    });

    it('takes an event of nearly 256 KiB and refuses a larger one with 413, and its whole array', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(topic, { data: 'x'.repeat(255 * 1024) });
      const large = { data: 'x'.repeat(256 * 1024 + 1) };
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: large }), 413);
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: [{ data: 1 }, large] }), 413);
      const wide = { data: 'é'.repeat(130 * 1024) };
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: wide }), 413);
      expect((await kit.page(topic)).events).toHaveLength(1);
    });

    it('refuses a request of more than 1 MiB with 413', async ({ kit }) => {
      const topic = kit.topic();
      const body = numbers(1, 9).map(() => ({ data: 'x'.repeat(128 * 1024) }));
      kit.refused(await kit.ask('POST', eventsPath(topic), { body }), 413);
      expect((await kit.page(topic)).events).toEqual([]);
    });

    it.for([
      ['text/plain', 'text/plain'],
      ['a form', 'application/x-www-form-urlencoded'],
      ['no media type', null],
      ['an unknown one', 'application/xml'],
    ] as const)('refuses a body as %s with 415', async ([, type], { kit }) => {
      const topic = kit.topic();
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: '{"data":1}', type }), 415);
      expect((await kit.page(topic)).events).toEqual([]);
    });
  });

  describe('3 ephemeral events', () => {
    it('are answered with 202, delivered to who is connected, without an id', async ({ kit }) => {
      const topic = kit.topic();
      const sse = await kit.stream(topic);
      const ndjson = await kit.stream(topic, { format: 'ndjson' });
      await Promise.all([sse.control('ready'), ndjson.control('ready')]);
      const body = { type: 'typing', data: { who: 'ada' }, key: 'ada', ephemeral: true };
      const answer = await kit.ask('POST', eventsPath(topic), { body });
      expect(answer.status).toBe(202);
      expect(answer.json.events).toHaveLength(1);
      expect(answer.json.events[0].id).toBeUndefined();
      for (const stream of [sse, ndjson]) {
        const frame = await stream.take((each) => each.control === undefined, 'the event');
        expect(frame.data).toMatchObject({ topic, type: 'typing', data: { who: 'ada' }, key: 'ada' });
        expect(frame.data).toHaveProperty('time');
        expect(frame.data).not.toHaveProperty('id');
        expect(frame.data).not.toHaveProperty('ephemeral');
        expect(frame.fields).not.toContain('id');
      }
    });

    it('are not stored, take no seq and move no cursor', async ({ kit }) => {
      const topic = kit.topic();
      const first = await kit.publish(topic, { data: 1 });
      await kit.publish(topic, { data: 'gone', ephemeral: true });
      expect(await kit.page(topic)).toMatchObject({ cursor: first.cursor, events: [{ data: 1 }] });
      expect(seqOf((await kit.publish(topic, { data: 2 })).cursor)).toBe(2);
      const late = await kit.stream(topic, { after: 'earliest' });
      await late.control('ready');
      expect(data(await kit.page(topic).then((page) => page.events))).toEqual([1, 2]);
      expect(late.frames.some((frame) => frame.data.data === 'gone')).toBe(false);
    });

    it('may come as an array of their own, but not mixed with durable ones', async ({ kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic);
      await stream.control('ready');
      const all = numbers(1, 3).map((n) => ({ data: n, ephemeral: true }));
      expect((await kit.ask('POST', eventsPath(topic), { body: all })).status).toBe(202);
      expect(data(await stream.events(3))).toEqual([1, 2, 3]);
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: [{ data: 1 }, { data: 2, ephemeral: true }] }), 400);
      expect((await kit.page(topic)).events).toEqual([]);
    });

    it('obey the filters and types of a subscriber', async ({ kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic, { types: 'wanted', filter: 'n=gt.1' });
      await stream.control('ready');
      const send = (type: string, n: number) => kit.publish(topic, { type, data: { n }, ephemeral: true });
      await send('noise', 5);
      await send('wanted', 1);
      await send('wanted', 2);
      expect(data(await stream.events(1))).toEqual([{ n: 2 }]);
    });
  });
}
