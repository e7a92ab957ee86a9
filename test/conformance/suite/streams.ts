/** Section 2: streams with a body, and changing them while they live. */
import { describe, expect } from 'vitest';
import { type Kit, numbers } from './client.ts';
import { goneMsOf, type Suite } from './target.ts';

const of = (events: readonly any[], topic: string): unknown[] =>
  events.filter((event) => event.topic === topic).map((event) => event.data);

async function patch(kit: Kit, stream: string, body: unknown, token?: string): Promise<void> {
  const answer = await kit.ask('PATCH', `/v1/streams/${stream}`, { body, token: token ?? (await kit.owner()) });
  expect(answer.status, answer.text).toBeOneOf([200, 202, 204]);
}

export function streams({ it, target }: Suite): void {
  describe('2 POST /v1/streams', () => {
    it('opens the same SSE stream as a GET', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      await kit.publishNumbers(a, 1, 2);
      const stream = await kit.openStream({ topics: [{ topic: a, after: 'earliest' }, { topic: b }] });
      expect(stream.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
      expect((await stream.control('open')).data.topics).toEqual([a, b]);
      expect((await stream.events(2)).map((event) => event.data)).toEqual([1, 2]);
      await stream.control('ready');
      await kit.publish(b, { data: 'live' });
      expect((await stream.events(1))[0].data).toBe('live');
    });

    it('speaks NDJSON with format', async ({ kit }) => {
      const stream = await kit.openStream({ topics: [{ topic: kit.topic() }], format: 'ndjson' });
      expect(stream.response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
      await stream.control('ready');
    });

    it('gives each topic its own start, filter, types and conflation', async ({ kit }) => {
      const [a, b, c, d] = [kit.topic('a'), kit.topic('b'), kit.topic('c'), kit.topic('d')];
      const ids: Record<string, string> = {};
      for (const topic of [a, b, c, d]) {
        const body = numbers(1, 6).map((n) => ({ data: { n }, type: n % 2 ? 'odd' : 'even', key: 'k' }));
        ids[topic] = (await kit.publish(topic, body)).events[3].id;
      }
      const stream = await kit.openStream({
        topics: [
          { topic: a, after: ids[a] },
          { topic: b, after: 'earliest', filter: ['n=gte.5'] },
          { topic: c, after: 'earliest', types: ['even'] },
          { topic: d, after: 'earliest', conflate: 50 },
        ],
      });
      const found = (topic: string) =>
        of(
          stream.frames.map((frame) => frame.data),
          topic,
        ).map((data: any) => data.n);
      await stream.control('ready');
      await expect.poll(() => found(d).at(-1)).toBe(6);
      expect([found(a), found(b), found(c)]).toEqual([
        [5, 6],
        [5, 6],
        [2, 4, 6],
      ]);
    });

    it.for([
      ['no topics', { topics: [] }],
      ['no body to speak of', {}],
      ['topics that are no list', { topics: 'a' }],
      ['names instead of objects', { topics: ['a'] }],
      ['51 topics', { topics: numbers(1, 51).map((n) => ({ topic: `t${n}` })) }],
      ['5000 topics', { topics: numbers(1, 5000).map((n) => ({ topic: `t${n}` })) }],
      ['an unknown member', { topics: [{ topic: 'a', colour: 'red' }] }],
      ['an unknown format', { topics: [{ topic: 'a' }], format: 'xml' }],
      ['an after that is no cursor', { topics: [{ topic: 'a', after: 7 }] }],
      ['types that are no list', { topics: [{ topic: 'a', types: 7 }] }],
      ['a conflate that is no number', { topics: [{ topic: 'a', conflate: 'x' }] }],
      ['a list', []],
      ['null', null],
    ] as const)('refuses %s', async ([, body], { kit }) => {
      kit.refused(await kit.ask('POST', '/v1/streams', { body: JSON.stringify(body) }), 400);
    });
  });

  describe('2 PATCH /v1/streams/{stream}', () => {
    it('adds a topic, and the one that was there keeps its position', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      await kit.publishNumbers(b, 1, 3);
      const stream = await kit.stream(a);
      const name = await stream.name();
      await stream.control('ready');
      let writing = true;
      let written = 0;
      const writer = (async () => {
        while (writing || written < 20) {
          written += 1;
          await kit.publish(a, { data: written });
        }
      })();
      await patch(kit, name, { add: [{ topic: b, after: 'earliest' }] });
      await kit.publishNumbers(b, 4, 5);
      writing = false;
      await writer;
      const events = await stream.events(written + 5, 20_000);
      expect(of(events, a)).toEqual(numbers(1, written));
      expect(of(events, b)).toEqual(numbers(1, 5));
      const id = stream.frames.at(-1)?.id ?? '';
      await kit.publish(a, { data: 'more' });
      await kit.publish(b, { data: 'more' });
      const again = await kit.streams([a, b], {}, { headers: { 'last-event-id': id } });
      expect((await again.events(2)).map((event) => [event.topic, event.data])).toEqual(
        expect.arrayContaining([
          [a, 'more'],
          [b, 'more'],
        ]),
      );
      expect(again.frames.some((frame) => frame.control === 'gap')).toBe(false);
    });

    it('removes a topic, and takes it up again where it was left', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const stream = await kit.openStream({ topics: [{ topic: a }, { topic: b }] });
      const name = await stream.name();
      await stream.control('ready');
      const ids = await kit.publishNumbers(b, 1, 2);
      await stream.events(2);
      await patch(kit, name, { remove: [b] });
      await kit.publishNumbers(b, 3, 4);
      await kit.publish(a, { data: 'mark' });
      expect(await stream.eventsUntil('mark')).toEqual([]);
      await patch(kit, name, { add: [{ topic: b, after: ids[1] }] });
      expect((await stream.events(2)).map((event) => event.data)).toEqual([3, 4]);
      await kit.publish(a, { data: 'end' });
      expect(await stream.eventsUntil('end')).toEqual([]);
    });

    it('adds and removes in one request, on an NDJSON stream too', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const stream = await kit.openStream({ topics: [{ topic: a }], format: 'ndjson' });
      const name = await stream.name();
      await stream.control('ready');
      await patch(kit, name, { add: [{ topic: b }], remove: [a] });
      await kit.publish(a, { data: 'not seen' });
      await kit.publish(b, { data: 'seen' });
      expect((await stream.events(1))[0].data).toBe('seen');
    });

    it('tells a gap of the topic that it adds', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const [id = ''] = await kit.publishNumbers(b, 1, 1);
      const stream = await kit.stream(a);
      const name = await stream.name();
      await patch(kit, name, { add: [{ topic: b, after: id.replace(/-1$/, '-500') }] });
      expect((await stream.control('gap')).data).toMatchObject({ topic: b, reason: 'ahead' });
    });

    it('does nothing for whoever may not', async ({ kit }) => {
      const [a, secret] = [kit.topic('a'), kit.topic('secret')];
      const token = await kit.token({ subscribe: [a] });
      const stream = await kit.stream(a, {}, { token });
      const path = `/v1/streams/${await stream.name()}`;
      await stream.control('ready');
      kit.refused(await kit.ask('PATCH', path, { body: { add: [{ topic: secret }], remove: [a] }, token }), 403);
      kit.refused(await kit.ask('PATCH', path, { body: { remove: [a] }, token: undefined }), 401);
      const stranger = await kit.token();
      kit.refused(await kit.ask('PATCH', path, { body: { remove: [a] }, token: stranger }), 403, 404);
      await kit.publish(secret, { data: 'secret' });
      await kit.publish(a, { data: 'still' });
      expect((await stream.events(1))[0].data).toBe('still');
    });

    it('refuses what is malformed, too many topics, and a stream that is gone', {
      timeout: 30_000 + goneMsOf(target),
    }, async ({ kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic);
      const path = `/v1/streams/${await stream.name()}`;
      const add = numbers(1, 50).map((n) => ({ topic: `${topic}:${n}` }));
      for (const body of [
        {},
        { add: [] },
        { add: 'x' },
        { add: [{ topic: 'a b' }] },
        { remove: [7] },
        { colour: 1 },
        { add },
      ])
        kit.refused(await kit.ask('PATCH', path, { body }), 400);
      await kit.publish(topic, { data: 'unharmed' });
      expect((await stream.events(1))[0].data).toBe('unharmed');
      stream.close();
      await expect
        .poll(async () => (await kit.ask('PATCH', path, { body: { remove: [topic] } })).status, {
          timeout: goneMsOf(target),
        })
        .toBe(404);
    });
  });
}
