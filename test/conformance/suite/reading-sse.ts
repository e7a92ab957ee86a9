/** Section 2: the SSE representation. */
import { describe, expect } from 'vitest';
import { eventsPath, numbers } from './client.ts';
import type { Suite } from './target.ts';

export function readingSse({ it }: Suite): void {
  describe('2 SSE', () => {
    it.for([
      ['Accept: text/event-stream', { accept: 'text/event-stream' }, {}],
      ['Accept: */*', { accept: '*/*' }, {}],
      ['no preference', {}, {}],
      ['format=sse whatever Accept says', { accept: 'application/json' }, { format: 'sse' }],
    ] as const)('is what a reader gets with %s', async ([, headers, query], { kit }) => {
      const stream = await kit.stream(kit.topic(), query, { headers: { ...headers } });
      expect(stream.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
      await stream.control('ready');
    });

    it('asks caches and proxies neither to store, buffer nor transform the stream', async ({ kit }) => {
      const { headers } = (await kit.stream(kit.topic())).response;
      expect(headers.get('x-accel-buffering')).toBe('no');
      expect(headers.get('cache-control')).toMatch(/no-(store|cache)/);
      expect(headers.get('cache-control')).toContain('no-transform');
      expect(headers.get('x-request-id')).toBeTruthy();
    });

    it('begins with $open {stream, heartbeat, topics}, before any history', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 3);
      const stream = await kit.stream(topic, { after: 'earliest' });
      await stream.control('ready');
      const names = stream.frames.map((frame) => frame.control ?? 'event');
      expect(names.slice(0, 5)).toEqual(['open', 'event', 'event', 'event', 'ready']);
      const [open] = stream.frames;
      expect(open?.data).toMatchObject({ stream: expect.any(String), heartbeat: 25, topics: [topic] });
    });

    it('gives each stream a name of its own', async ({ kit }) => {
      const topic = kit.topic();
      const names = await Promise.all(numbers(1, 5).map(async () => (await kit.stream(topic)).name()));
      expect(new Set(names).size).toBe(5);
    });

    it('sends each event as one block: id and data, no event field, so that onmessage receives it', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(topic, [{ data: { text: 'a\nb' }, type: 'said' }, { data: 2 }]);
      const stream = await kit.stream(topic, { after: 'earliest' });
      await stream.control('ready');
      const events = stream.frames.filter((frame) => frame.control === undefined);
      expect(events).toHaveLength(2);
      for (const frame of events) {
        expect([...frame.fields].sort()).toEqual(['data', 'id']);
        expect(frame.id).toBe(frame.data.id);
      }
    });

    it('names every control with a $, so that onmessage never sees one', async ({ kit }) => {
      const topic = kit.topic();
      const [id = ''] = await kit.publishNumbers(topic, 1, 1);
      const ahead = id.replace(/-1$/, '-999');
      const stream = await kit.stream(topic, { after: ahead });
      await stream.control('ready');
      await kit.publish(topic, { data: 'end' });
      await stream.take((frame) => frame.data.data === 'end', 'the end');
      for (const frame of stream.frames) {
        if (frame.data.topic !== undefined && frame.data.data !== undefined) expect(frame.name).toBeUndefined();
        else expect(frame.name).toMatch(/^\$[a-z]+$/);
      }
    });

    it('delivers whatever commits after $ready', async ({ kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic);
      const ready = await stream.control('ready');
      expect(ready.data.cursor).toEqual(expect.any(String));
      await kit.publishNumbers(topic, 1, 20);
      expect((await stream.events(20)).map((event) => event.data)).toEqual(numbers(1, 20));
    });

    it('gives $ready a cursor from which a later stream continues', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 3);
      const first = await kit.stream(topic);
      const { cursor } = (await first.control('ready')).data;
      first.close();
      await kit.publishNumbers(topic, 4, 6);
      const second = await kit.stream(topic, { after: cursor });
      expect((await second.events(3)).map((event) => event.data)).toEqual([4, 5, 6]);
    });

    it('has no gap and no repeat at the seam between history and live, while others write', async ({ kit }) => {
      const topic = kit.topic();
      let writing = true;
      let written = 0;
      const writer = (async () => {
        while (writing && written < 3000) {
          await kit.publishNumbers(topic, written + 1, written + 5);
          written += 5;
        }
        await kit.publish(topic, { data: 'end' });
      })();
      const readers = [];
      for (const _ of numbers(1, 10)) {
        const stream = await kit.stream(topic, { after: 'earliest' });
        await stream.control('open');
        readers.push(stream.eventsUntil('end', 30_000));
      }
      writing = false;
      await writer;
      for (const reader of readers) expect((await reader).map((event) => event.data)).toEqual(numbers(1, written));
    });

    it('continues after the Last-Event-ID of any event', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 30);
      const stream = await kit.stream(topic, { after: 'earliest' });
      await stream.events(30);
      const ids = stream.frames.filter((frame) => frame.control === undefined).map((frame) => frame.id ?? '');
      for (const at of [1, 17, 29, 30]) {
        const rest = await kit.stream(topic, {}, { headers: { 'last-event-id': ids[at - 1] ?? '' } });
        await rest.control('ready');
        await kit.publish(topic, { data: `end ${at}` });
        const events = (await rest.eventsUntil(`end ${at}`)).map((event) => event.data);
        const replayed = rest.frames.filter((frame) => typeof frame.data.data === 'number');
        expect(replayed.map((frame) => frame.data.data)).toEqual(numbers(at + 1, 30));
        expect(events).toEqual([]);
        expect(rest.frames.some((frame) => frame.control === 'gap')).toBe(false);
        rest.close();
      }
    });

    it('lets nothing that a publisher sends forge a field or a block', async ({ kit }) => {
      const topic = kit.topic();
      const evil = ['\n\n', '\r\r', '\r\n\r\n', '\0', '\u2028\u2028'].map(
        (cut) => `x${cut}event: $close${cut}id: 1${cut}retry: 1${cut}data: {"reason":"expired"}${cut}`,
      );
      await kit.publish(topic, [...evil.map((data) => ({ data, key: 'k' })), { data: { [evil[0] ?? '']: 1 } }]);
      const stream = await kit.stream(topic, { after: 'earliest', named: 1 });
      const events = await stream.events(evil.length + 1);
      expect(events.slice(0, -1).map((event) => event.data)).toEqual(evil);
      await stream.control('ready');
      expect(stream.frames.map((frame) => frame.control ?? 'event').join(' ')).toBe(
        `open ${'event '.repeat(evil.length + 1)}ready`,
      );
      for (const frame of stream.frames) expect(frame.retry).toBeUndefined();
    });

    it('carries the type in the event field with named=1, but open, error and message unnamed', async ({ kit }) => {
      const topic = kit.topic();
      const types = ['order.created', 'open', 'error', 'message', 'ready', 'ünï'];
      await kit.publish(
        topic,
        types.map((type) => ({ type, data: type })),
      );
      const stream = await kit.stream(topic, { after: 'earliest', named: 1 });
      await stream.events(types.length);
      const sent = stream.frames.filter((frame) => frame.control === undefined);
      expect(sent.map((frame) => frame.name)).toEqual([
        'order.created',
        undefined,
        undefined,
        undefined,
        'ready',
        'ünï',
      ]);
      expect(sent.map((frame) => frame.data.type)).toEqual(types);
    });

    it('gives the same events to every subscriber', async ({ kit }) => {
      const topic = kit.topic();
      const streams = await Promise.all(numbers(1, 20).map(() => kit.stream(topic)));
      await Promise.all(streams.map((stream) => stream.control('ready')));
      await kit.publishNumbers(topic, 1, 50);
      const all = await Promise.all(streams.map((stream) => stream.events(50)));
      for (const events of all) expect(events).toEqual(all[0]);
      expect(all[0]?.map((event) => event.data)).toEqual(numbers(1, 50));
    });

    it('gives a reader that was asleep all that it missed, and keeps nobody waiting for it', async ({ kit }) => {
      const topic = kit.topic();
      const asleep = await kit.heldStream(topic, { after: 'earliest' });
      const awake = await kit.stream(topic, { after: 'earliest' });
      await awake.control('ready');
      const filler = 'x'.repeat(20_000);
      for (let from = 1; from <= 1000; from += 40)
        await kit.publish(
          topic,
          numbers(from, from + 39).map((n) => ({ data: { n, filler } })),
        );
      expect((await awake.events(1000)).map((event) => event.data.n)).toEqual(numbers(1, 1000));
      asleep.start();
      expect((await asleep.events(1000, 20_000)).map((event) => event.data.n)).toEqual(numbers(1, 1000));
      await kit.publish(topic, { data: { n: 1001 } });
      expect((await asleep.events(1))[0].data.n).toBe(1001);
      expect(asleep.frames.some((frame) => frame.control === 'gap')).toBe(false);
    });

    it('answers HEAD with the headers of the stream, and ends', async ({ kit }) => {
      const answer = await kit.ask('HEAD', eventsPath(kit.topic()), { headers: { accept: 'text/event-stream' } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
      expect(answer.text).toBe('');
    });

    it('sends an event of the largest size in one block', async ({ kit }) => {
      const topic = kit.topic();
      const data = '🎉é\n'.repeat(20_000);
      await kit.publish(topic, { data });
      const stream = await kit.stream(topic, { after: 'earliest' });
      expect((await stream.events(1))[0].data).toBe(data);
    });
  });
}
