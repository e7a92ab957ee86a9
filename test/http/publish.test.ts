import { afterEach, describe, expect, it } from 'vitest';
import { testApps } from './app.ts';

const PATH = '/v1/topics/t/events';

describe('publishing', () => {
  const app = testApps(afterEach);

  it('answers 201 with what was appended, and who caused it stands in the event', async () => {
    const sluice = app();
    const answer = await sluice.json(PATH, {
      body: { type: 'paid', key: 'order:1', version: 3, data: { amount: 12 } },
      headers: { 'Idempotency-Key': 'k1' },
    });
    expect(answer.status).toBe(201);
    const [event] = answer.body.events;
    expect(event).toEqual({
      id: answer.body.cursor,
      topic: 't',
      type: 'paid',
      key: 'order:1',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    const page = await sluice.json(`${PATH}?format=json`);
    expect(page.body.events).toEqual([{ ...event, version: 3, data: { amount: 12 }, actor: 'root', mutation: 'k1' }]);
  });

  it('appends a list as one, with ids that follow on each other', async () => {
    const { body } = await app().json(PATH, { body: [{ data: 1 }, { data: 2 }, { data: 3 }] });
    const seqs = body.events.map(({ id }: { id: string }) => Number(id.split('-')[1]));
    expect(seqs).toEqual([1, 2, 3]);
    expect(body.cursor).toBe(body.events[2].id);
  });

  it('takes a line for each event as NDJSON, blank ones passed over', async () => {
    const sluice = app();
    const body = '{"data":1}\r\n\n{"data":"zwei"}\n{"data":null}';
    const answer = await sluice.json(PATH, { body, type: 'application/x-ndjson; charset=utf-8' });
    expect(answer.status).toBe(201);
    const page = await sluice.json(`${PATH}?format=json`);
    expect(page.body.events.map(({ data }: { data: unknown }) => data)).toEqual([1, 'zwei', null]);
  });

  it('keeps any JSON value as it is, names that mean something to JavaScript among them', async () => {
    const sluice = app();
    const text = '{"__proto__":{"a":1},"constructor":2,"":[1.5e300,-0.1,"\\u0000\\ud800","\u2028"]}';
    await sluice.json(PATH, { body: `{"data":${text}}` });
    const response = await sluice.ask(`${PATH}?format=json`);
    expect(await response.text()).toContain('"__proto__":{"a":1}');
    expect(({} as { a?: number }).a).toBeUndefined();
  });

  it.each([
    ['text/plain', '{"data":1}', '415 unsupported-media-type'],
    ['', '{"data":1}', '415 unsupported-media-type'],
    ['application/json', '{"data":', '400 malformed'],
    ['application/json', '', '400 malformed'],
    ['application/json', new Uint8Array([0x7b, 0xff, 0x7d]), '400 malformed'],
    ['application/json', `{"data":${'['.repeat(100)}${']'.repeat(100)}}`, '400 malformed'],
    ['application/x-ndjson', '{"data":1}\n{"data":', '400 malformed'],
    ['application/x-ndjson', '\n\n', '400 invalid'],
    ['APPLICATION/JSON; charset=utf-8', '{"data":1}', '201 application/json'],
  ])('%s %s gives %s', async (type, body, expected) => {
    expect(await app().refusal(PATH, { body, headers: { 'Content-Type': type } })).toBe(expected);
  });

  describe('its limits', () => {
    const limits = { requestBytes: 2000, eventBytes: 500, eventsPerPublish: 5 };
    const streamed = (text: string) =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          const bytes = new TextEncoder().encode(text);
          for (let at = 0; at < bytes.length; at += 100) controller.enqueue(bytes.slice(at, at + 100));
          controller.close();
        },
      });

    it.each(['with', 'without'])('hold for the request %s a Content-Length', async (which) => {
      const sluice = app({ limits });
      const text = JSON.stringify({ data: 'x'.repeat(2000) });
      const headers: Record<string, string> = which === 'with' ? { 'Content-Length': String(text.length) } : {};
      const body = which === 'with' ? text : streamed(text);
      expect(await sluice.refusal(PATH, { body, headers })).toBe('413 too-large');
      const small = JSON.stringify({ data: 'x'.repeat(400) });
      const sent = which === 'with' ? small : streamed(small);
      const smallHeaders: Record<string, string> = which === 'with' ? { 'Content-Length': String(small.length) } : {};
      expect((await sluice.json(PATH, { body: sent, headers: smallHeaders })).status).toBe(201);
    });

    it('do not read on beyond the limit', async () => {
      let pulled = 0;
      let cancelled = false;
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            pulled += 1;
            controller.enqueue(new Uint8Array(500).fill(0x20));
          },
          cancel() {
            cancelled = true;
          },
        },
        { highWaterMark: 0 },
      );
      expect(await app({ limits }).refusal(PATH, { body, type: 'application/json' })).toBe('413 too-large');
      expect(pulled).toBeLessThan(20);
      expect(cancelled).toBe(true);
    });

    it('hold for each event, in bytes', async () => {
      const sluice = app({ limits });
      expect(await sluice.refusal(PATH, { body: [{ data: 1 }, { data: 'é'.repeat(250) }] })).toBe('413 too-large');
      expect(await sluice.refusal(PATH, { body: [{ data: 1 }, { data: 'e'.repeat(250) }] })).toBe(
        '201 application/json',
      );
    });

    it.each(['application/json', 'application/x-ndjson'])('hold for the number of events: %s', async (type) => {
      const lines = (count: number) => Array.from({ length: count }, (_, data) => JSON.stringify({ data }));
      const bodyOf = (count: number) =>
        type === 'application/json' ? `[${lines(count).join(',')}]` : lines(count).join('\n');
      const sluice = app({ limits });
      expect(await sluice.refusal(PATH, { body: bodyOf(6), type })).toBe('413 too-large');
      expect((await sluice.json(PATH, { body: bodyOf(5), type })).status).toBe(201);
    });
  });

  describe('with an idempotency key', () => {
    const key = (value: string) => ({ headers: { 'Idempotency-Key': value } });

    it('answers the same write the same again, and appends nothing', async () => {
      const sluice = app();
      const first = await sluice.json(PATH, { body: { data: 1 }, ...key('k') });
      const again = await sluice.json(PATH, { body: { data: 1 }, ...key('k') });
      expect(again.status).toBe(201);
      expect(again.body).toEqual(first.body);
      expect([first, again].map(({ headers }) => headers.get('Idempotent-Replayed'))).toEqual([null, 'true']);
      expect((await sluice.json(`${PATH}?format=json`)).body.events).toHaveLength(1);
    });

    it('refuses it for another body, another topic or another type of body', async () => {
      const sluice = app();
      await sluice.json(PATH, { body: { data: 1 }, ...key('k') });
      expect(await sluice.refusal(PATH, { body: { data: 2 }, ...key('k') })).toBe('422 idempotency-mismatch');
      const other = '/v1/topics/u/events';
      expect(await sluice.refusal(other, { body: { data: 1 }, ...key('k') })).toBe('422 idempotency-mismatch');
      const type = { headers: { ...key('k').headers, 'Content-Type': 'application/x-ndjson' } };
      expect(await sluice.refusal(PATH, { body: { data: 1 }, ...type })).toBe('422 idempotency-mismatch');
    });

    it('keeps the keys of different callers apart', async () => {
      const sluice = app({ auth: { anonymous: { publish: ['**'] } } });
      const publish = ['**'];
      const callers = [{ sub: 'a', publish }, { sub: 'b', publish }, { sub: 'anonymous', publish }, null];
      for (const as of callers) {
        const answer = await sluice.json(PATH, { as, body: { data: as?.sub ?? 'nobody' }, ...key('k') });
        expect(answer.status).toBe(201);
      }
    });

    it('commits one of many that are sent at once', async () => {
      const sluice = app();
      const all = await Promise.all(
        Array.from({ length: 10 }, () => sluice.json(PATH, { body: { data: 1 }, ...key('k') })),
      );
      expect(new Set(all.map(({ body }) => body.cursor)).size).toBe(1);
      expect(all.filter(({ headers }) => headers.get('Idempotent-Replayed') === null)).toHaveLength(1);
    });

    it.each(['', 'x'.repeat(201), 'é'])('refuses what is no key: %s', async (value) => {
      expect(await app().refusal(PATH, { body: { data: 1 }, ...key(value) })).toBe('400 invalid');
    });
  });

  describe('ephemeral events', () => {
    it('are answered 202, reach who is connected, and are not kept', async () => {
      const sluice = app();
      const stream = await sluice.stream(PATH);
      await stream.told('ready');
      const answer = await sluice.json(PATH, { body: { type: 'typing', data: 1, ephemeral: true } });
      expect(answer.status).toBe(202);
      expect(answer.body).toEqual({ events: [{ topic: 't', type: 'typing', time: expect.any(String) }] });
      await sluice.publish('t', 2);
      expect((await sluice.json(`${PATH}?format=json`)).body.events).toHaveLength(1);
      await expect.poll(() => stream.data()).toEqual([1, 2]);
      expect(JSON.parse(stream.blocks.find(({ data }) => data.includes('typing'))!.data).id).toBeUndefined();
    });

    it('are not mixed with durable ones', async () => {
      const body = [{ data: 1 }, { data: 2, ephemeral: true }];
      expect(await app().refusal(PATH, { body })).toBe('400 invalid');
    });
  });

  describe('by the code that embeds the app', () => {
    it('appends, and tells of mistakes', async () => {
      const { realtime } = app();
      const { cursor } = await realtime.publish('t', [{ data: 1 }, { data: 2 }]);
      expect(cursor).toMatch(/-2$/);
      await expect(realtime.publish('a b', { data: 1 })).rejects.toThrow(TypeError);
      await expect(realtime.publish('t', { data: undefined })).rejects.toThrow(TypeError);
      await expect(realtime.publish('t', { type: '$close', data: 1 })).rejects.toThrow(TypeError);
      expect(() => realtime.publishEphemeral('t', { type: 'a\nb', data: 1 })).toThrow(TypeError);
    });
  });
});
