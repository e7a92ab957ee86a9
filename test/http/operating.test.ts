import { afterEach, describe, expect, it } from 'vitest';
import { testApps } from './app.ts';
import { fallibleStore } from './fallible-store.ts';

describe('every answer', () => {
  const app = testApps(afterEach);

  it.each(['/healthz', '/v1/topics/t/events', '/nothing', '/v1/topics'])('carries a request id: %s', async (path) => {
    const sluice = app();
    const [first, second] = [await sluice.ask(path, { as: null }), await sluice.ask(path, { as: null })];
    const ids = [first, second].map(({ headers }) => headers.get('X-Request-Id'));
    expect(ids[0]).toMatch(/^[\w-]{16,}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it('carries the caller’s own id if it is plain, and no other', async () => {
    const sluice = app();
    const given = async (id: string) => {
      const response = await sluice.ask('/healthz', { headers: { 'X-Request-Id': id } });
      return response.headers.get('X-Request-Id');
    };
    expect(await given('trace-1.a_b=c')).toBe('trace-1.a_b=c');
    for (const id of ['a b', 'x'.repeat(200), '<script>', '']) expect(await given(id)).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is logged with the caller’s trace, and never with a query', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = { debug: (fields: object) => lines.push({ ...fields }), info() {}, warn() {}, error() {} };
    const sluice = app({ log });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await sluice.ask('/v1/topics/t/events?format=json&ticket=secret', { headers: { traceparent } });
    expect(lines).toMatchObject([
      {
        method: 'GET',
        path: '/v1/topics/t/events',
        trace: '0af7651916cd43dd8448eb211c80319c',
        parent: 'b7ad6b7169203331',
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  it('of a fault says nothing of what is inside', async () => {
    const errors: unknown[] = [];
    const policy = () => {
      throw new Error('the password is swordfish');
    };
    const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => errors.push(fields) };
    const { status, body } = await app({ policy, log }).json('/v1/topics/t/events');
    expect(`${status} ${body.code}`).toBe('500 internal');
    expect(JSON.stringify(body)).not.toContain('swordfish');
    expect(errors).toHaveLength(1);
  });
});

describe('operating', () => {
  const app = testApps(afterEach);

  it('health is of the process, readiness of the log', async () => {
    const state = fallibleStore();
    const sluice = app({ store: state.store });
    expect(await sluice.refusal('/readyz', { as: null })).toBe('200 application/json');
    state.away = true;
    expect(await sluice.refusal('/healthz', { as: null })).toBe('200 application/json');
    expect(await sluice.refusal('/readyz', { as: null })).toBe('503 unavailable');
    state.away = false;
    expect(await sluice.refusal('/readyz', { as: null })).toBe('200 application/json');
  });

  it('a log that is away is 503 with Retry-After, streams open all the same, and go on when it is back', async () => {
    const state = fallibleStore();
    const sluice = app({ store: state.store });
    await sluice.publish('t', 1);
    state.away = true;
    for (const ask of [{ body: { data: 2 } }, {}]) {
      const answer = await sluice.json('/v1/topics/t/events?format=json', ask);
      expect(`${answer.status} ${answer.body.code}`).toBe('503 unavailable');
      expect(answer.headers.get('Retry-After')).toBe('1');
    }
    const stream = await sluice.stream('/v1/topics/t/events?after=earliest');
    expect(await stream.told('open')).toMatchObject({ topics: ['t'], heartbeat: 25 });
    state.away = false;
    await stream.told('ready');
    expect(stream.data()).toEqual([1]);
  });

  it('metrics are there when somebody gives them', async () => {
    expect(await app().refusal('/metrics', { as: null })).toBe('404 not-found');
    const metrics = async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' });
    const response = await app({ metrics }).ask('/metrics', { as: null });
    expect([response.headers.get('Content-Type'), await response.text()]).toEqual([
      'text/plain; version=0.0.4',
      'up 1\n',
    ]);
  });

  it('draining ends streams with a retry that is spread, and refuses new ones', async () => {
    const sluice = app();
    const streams = [];
    for (let n = 0; n < 8; n += 1) streams.push(await sluice.stream('/v1/topics/t/events'));
    sluice.realtime.drain();
    const retries = [];
    for (const stream of streams) {
      const { reason, retry } = await stream.told('close');
      expect(reason).toBe('draining');
      retries.push(retry);
    }
    expect(new Set(retries).size).toBeGreaterThan(1);
    for (const retry of retries) expect(retry).toBeGreaterThan(0);
    const refused = await sluice.json('/v1/topics/t/events');
    expect(`${refused.status} ${refused.body.code}`).toBe('503 draining');
    expect(await sluice.refusal('/readyz', { as: null })).toBe('503 draining');
    await sluice.publish('t', 'what is under way goes on');
  });

  it('topics are listed by name with what they hold, page by page', async () => {
    const sluice = app();
    for (const topic of ['b', 'a:2', 'a:1']) await sluice.publish(topic, 1, 2);
    const stream = await sluice.stream('/v1/topics/b/events');
    await stream.told('ready');
    const { body } = await sluice.json('/v1/topics?limit=2');
    expect(body.topics.map(({ topic }: { topic: string }) => topic)).toEqual(['a:1', 'a:2']);
    expect(body.next).toBe('a:2');
    const rest = (await sluice.json(`/v1/topics?limit=2&after=${body.next}`)).body;
    expect(rest).toEqual({
      topics: [
        {
          topic: 'b',
          events: 2,
          bytes: expect.any(Number),
          oldest: expect.stringMatching(/-0$/),
          latest: expect.stringMatching(/-2$/),
          updated: expect.any(String),
          subscribers: 1,
        },
      ],
    });
    expect((await sluice.json('/v1/topics?prefix=a:')).body.topics).toHaveLength(2);
    expect((await sluice.json('/v1/topics/b')).body).toEqual(rest.topics[0]);
    expect(await sluice.refusal('/v1/topics/none')).toBe('404 not-found');
  });
});
