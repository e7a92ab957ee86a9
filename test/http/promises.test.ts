/** Promises that were once broken: each of these was found by somebody who tried. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { afterEach, describe, expect, it } from 'vitest';
import { createRealtime } from '../../src/http/realtime.ts';
import { epochOf } from '../../src/protocol/cursor.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { until } from '../support/until.ts';
import { EVERYTHING, TestApp, tokenOf } from './app.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

function app(options: ConstructorParameters<typeof TestApp>[0] = {}): TestApp {
  const made = new TestApp(options);
  open.push({ close: () => made.realtime.close() });
  return made;
}

describe('data', () => {
  it('comes back as it was sent, numbers beyond doubles included', async () => {
    const { ask } = bound(app());
    const data = '{"a":1e400,"b":9007199254740993,"c":-1E+999,"d":0.1234567890123456789,"e":[12345678901234567890]}';
    expect((await ask('/v1/topics/t/events', { body: `{"data":${data}}` })).status).toBe(201);
    const page = await (await ask('/v1/topics/t/events?format=json')).text();
    expect(page).toContain(`"data":${data}`);
  });
});

describe('last=n on a compacted topic', () => {
  it('counts events, not the holes between them', async () => {
    const store = createMemoryStore();
    const { ask } = bound(app({ store, compact: () => true }));
    for (const key of ['a', 'b', 'c', 'c', 'c', 'c']) await ask('/v1/topics/t/events', { body: { data: key, key } });
    await store.log.compact('t', 6);
    const page = (await (await ask('/v1/topics/t/events?format=json&last=2')).json()) as any;
    expect(page.events.map(({ data }: any) => data)).toEqual(['b', 'c']);
  });
});

describe('a long poll', () => {
  const waiting = (made: TestApp) => until('it waits', () => made.realtime.gauges().subscriptions === 1);

  it('is answered when the node drains', async () => {
    const made = app();
    const answer = made.ask('/v1/topics/t/events?format=json&wait=60');
    await waiting(made);
    made.realtime.drain();
    expect(await (await answer).json()).toMatchObject({ events: [], more: false });
  });

  it('lets go of its subscription when its reader goes', async () => {
    const made = app();
    const reader = new AbortController();
    void Promise.resolve(made.ask('/v1/topics/t/events?format=json&wait=60', { signal: reader.signal })).catch(
      () => undefined,
    );
    await waiting(made);
    reader.abort();
    await until('nothing is held', () => made.realtime.gauges().subscriptions === 0);
  });

  it('counts as a stream of its caller', async () => {
    const made = app({ callerLimits: { streamsPerSubject: 1 } });
    const as = { sub: 'one', subscribe: ['**'] };
    const first = made.ask('/v1/topics/t/events?format=json&wait=60', { as });
    await waiting(made);
    const second = await made.ask('/v1/topics/t/events?format=json&wait=60', { as });
    expect(second.status).toBe(429);
    expect(second.headers.get('Retry-After')).not.toBeNull();
    made.realtime.drain();
    await first;
  });
});

describe('a compound cursor', () => {
  it('resumes two topics whose names share the first half of an epoch', async () => {
    const [one, other] = ['user:16689', 'user:61324'];
    expect(epochOf('', 0, one!).slice(0, 5)).toBe(epochOf('', 0, other!).slice(0, 5));
    const { ask } = bound(app());
    for (const topic of [one, other]) await ask(`/v1/topics/${topic}/events`, { body: [{ data: 1 }, { data: 2 }] });
    const read = async (more: string) =>
      (await (await ask(`/v1/events?topic=${one}&topic=${other}&format=json${more}`)).json()) as any;
    const { cursor } = await read('');
    await ask(`/v1/topics/${other}/events`, { body: { data: 3 } });
    const page = await read(`&after=${cursor}`);
    expect(page.gap).toBeUndefined();
    expect(page.events.map(({ data }: any) => data)).toEqual([3]);
  });
});

describe('a URL', () => {
  it('is refused when its query is not UTF-8', async () => {
    const { ask } = bound(app());
    for (const query of ['topic=%ff', 'topic=a&filter=n=eq.%ff', 'topic=%zz'])
      expect((await ask(`/v1/events?${query}&format=json`)).status, query).toBe(400);
  });

  it('is refused when a token stands in it, under whatever name', async () => {
    const { ask } = bound(app());
    const token = await tokenOf(EVERYTHING);
    for (const name of ['ticket', 'token', 'access_token']) {
      const answer = await ask(`/v1/topics/t/events?format=json&${name}=${token}`);
      expect(answer.status, name).toBe(401);
      expect(await answer.json()).toMatchObject({ code: 'token-in-url' });
    }
  });
});

describe('the code that embeds the app', () => {
  it('cannot publish what HTTP would refuse', async () => {
    const { realtime } = app({ limits: { eventBytes: 1000 } });
    const bad: readonly (readonly [string, any])[] = [
      ['bad topic', { data: 1 }],
      ['..', { data: 1 }],
      ['t', { data: undefined }],
      ['t', []],
      ['t', { data: 1, type: '$x' }],
      ['t', { data: 'x'.repeat(2000) }],
      ['t', { data: 1, ephemeral: true }],
    ];
    for (const [topic, event] of bad)
      await expect(realtime.publish(topic, event), JSON.stringify([topic, event])).rejects.toThrow(TypeError);
    await expect(realtime.publish('t', { data: null })).resolves.toMatchObject({
      cursor: expect.stringMatching(/-1$/),
    });
  });

  it('streams on Node, mounted nowhere', async () => {
    const realtime = createRealtime({ auth: { anonymous: { subscribe: ['**'] } } });
    const server = createAdaptorServer({ fetch: realtime.fetch }) as Server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(realtime, { close: async () => void server.close() });
    const reader = new AbortController();
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/v1/topics/t/events`, { signal: reader.signal });
    expect(answer.headers.has('x-hono-already-sent')).toBe(false);
    let text = '';
    for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += piece;
      if (text.includes('$ready')) break;
    }
    expect(text).toMatch(/^event: \$open\n/);
    reader.abort();
  });

  it('puts its own headers on streams, also when its middleware sets them last', async () => {
    const realtime = createRealtime({ auth: { anonymous: { subscribe: ['**'] } } });
    const outer = new Hono();
    outer.use(secureHeaders());
    outer.use(async (c, next) => {
      await next();
      c.header('X-Mine', 'yes');
    });
    outer.route('/realtime', realtime);
    const server = createAdaptorServer({ fetch: outer.fetch }) as Server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(realtime, { close: async () => void server.close() });
    const reader = new AbortController();
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/realtime/v1/topics/t/events`, { signal: reader.signal });
    expect(answer.headers.get('Content-Type')).toBe('text/event-stream');
    expect(answer.headers.get('X-Mine')).toBe('yes');
    expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(answer.headers.get('X-Request-Id')).not.toBeNull();
    expect(answer.headers.has('x-hono-already-sent')).toBe(false);
    reader.abort();
  });
});

function bound(made: TestApp): Pick<TestApp, 'ask'> {
  return { ask: (path, asked) => made.ask(path, asked) };
}
