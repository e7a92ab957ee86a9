/** What applications and servers should not do, and what the client makes of it. */
import { afterEach, describe, expect, it } from 'vitest';
import { longPoll } from '../../src/client/connection/fallback.ts';
import { createClient } from '../../src/client/create-client.ts';
import { createPresence } from '../../src/client/presence/presence.ts';
import { TestApp, tokenOf } from '../http/app.ts';
import { cuttable, listen, READER, type System, systems, untilLive } from './links.ts';

const system = systems(afterEach);

const presenceOf = (made: System, topic = 'room') =>
  createPresence(topic, {
    link: made.link,
    clock: Date.now,
    random: () => 0,
    hidden: () => false,
    onError: (error) => made.errors.push(error),
  });
const MEMBER = { ...READER, presence: ['**'] };

describe('an application', () => {
  it('whose observers throw is told, and everything goes on', async () => {
    const made = system({ claims: MEMBER, onEvent: () => expect.unreachable('as an application may') });
    const { app, link, errors } = made;
    link.observe(() => expect.unreachable('as another may'));
    const presence = presenceOf(made);
    presence.observe(() => expect.unreachable('as a third may'));
    const membership = presence.join('ada');
    const told = listen(link, 't');
    await untilLive(told);
    await app.publish('t', 1);
    await expect.poll(told.data).toEqual([1]);
    await expect.poll(() => membership.state.kind).toBe('present');
    expect(errors.length).toBeGreaterThan(3);
    presence.close();
  });

  it('whose observer listens anew each time does not go round forever', async () => {
    const { link } = system();
    let calls = 0;
    const again = () => {
      calls += 1;
      stop();
      stop = link.observe(again);
    };
    let stop = link.observe(again);
    await untilLive(listen(link, 't'));
    expect(calls).toBeLessThan(20);
  });

  it('that closes a subscription has no more of it read', async () => {
    const { app, link, requests } = system();
    for (let n = 0; n < 4; n += 1) await app.publish('t', ...Array.from({ length: 1000 }, () => 1));
    const subscription = link.subscribe('t', { after: 'earliest' }, { onEvent: () => subscription.close() });
    await expect.poll(() => subscription.state.kind).toBe('closed');
    await expect.poll(() => link.status.state).toBe('disconnected');
    expect(requests.length).toBeLessThanOrEqual(3);
  });

  it('that subscribes after the end has a subscription that is closed', async () => {
    const { link, requests } = system();
    link.close();
    const subscription = link.subscribe('t');
    await Promise.resolve();
    expect([subscription.state.kind, requests]).toEqual(['closed', []]);
  });

  it('whose only token is refused is told so by its subscriptions, and loops end', async () => {
    const { link } = system({ token: 'nonsense' });
    const told = listen(link, 't');
    await expect(link.subscribe('u')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'token-invalid' });
    expect(told.states).toEqual(['refused token-invalid']);
  });

  it('without the right to see who is there goes on reading', async () => {
    const made = system();
    const told = listen(made.link, 'room');
    await untilLive(told);
    const presence = presenceOf(made);
    await expect.poll(() => presence.state).toEqual({ kind: 'refused', code: 'forbidden' });
    await untilLive(told);
    await made.app.publish('room', 1);
    await expect.poll(told.data).toEqual([1]);
  });

  it('that shares tabs without saying whose they are does not share rights', () => {
    const opened: string[] = [];
    const before = globalThis.BroadcastChannel;
    class Channel extends before {
      constructor(name: string) {
        super(name);
        opened.push(name);
      }
    }
    globalThis.BroadcastChannel = Channel;
    try {
      const options = { url: 'http://sluice.test', tabs: true, fetch: async () => Response.error() };
      const clients = [createClient({ ...options, token: 'x' }), createClient({ ...options, token: 'x', user: 'ada' })];
      expect(opened).toHaveLength(1);
      for (const client of clients) client.close();
    } finally {
      globalThis.BroadcastChannel = before;
    }
  });
});

describe('presence', () => {
  it('that is opened in the turn in which another is closed knows who is there', async () => {
    const made = system({ claims: MEMBER });
    const other = system({ app: made.app, claims: { ...MEMBER, sub: 'bob' } });
    const bob = presenceOf(other);
    bob.join('bob');
    const first = presenceOf(made);
    await expect.poll(() => first.members.length).toBe(1);
    first.close();
    const second = presenceOf(made);
    await expect.poll(() => second.members.map(({ member }) => member)).toEqual(['bob']);
    const third = presenceOf(made);
    await expect.poll(() => third.members.length).toBe(1);
    for (const each of [bob, second, third]) each.close();
  });

  it('has no ghosts where a snapshot was cut in the middle', async () => {
    const { link } = system({
      random: () => 0,
      fetch: (() => {
        const answers = [
          `{"control":"open","stream":"x","heartbeat":25,"topics":[]}\n{"control":"presence","topic":"room","change":"sync","members":[{"member":"ghost","state":null,"since":""}],"more":true}\n`,
          `{"control":"open","stream":"x","heartbeat":25,"topics":[]}\n{"control":"presence","topic":"room","change":"sync","members":[{"member":"ada","state":null,"since":""}]}\n`,
        ];
        return async (_input: unknown, init?: RequestInit) => {
          const text = answers.length > 1 ? answers.shift() : answers[0];
          const body = new ReadableStream<Uint8Array>({
            start(controller) {
              controller.enqueue(new TextEncoder().encode(text));
              if (answers.length === 1 && text?.includes('ghost')) controller.close();
            },
          });
          const response = new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
          return cuttable(response, init?.signal ? [init.signal] : []);
        };
      })(),
    });
    const presence = createPresence('room', {
      link,
      clock: Date.now,
      random: () => 0,
      hidden: () => false,
      onError: () => undefined,
    });
    await expect.poll(() => presence.members.map(({ member }) => member)).toEqual(['ada']);
    presence.close();
  });

  it('tells what was said last, though the first answer is late', async () => {
    const made = system({ claims: MEMBER });
    let delayed = false;
    made.intercept(async (url, init) => {
      if (init.method !== 'PUT' || !url.pathname.includes('/presence/') || delayed) return undefined;
      delayed = true;
      const answer = await made.app.request(url.pathname, { ...init, signal: null });
      await expect
        .poll(() => made.requests.filter((request) => request.startsWith('PUT')).length, { timeout: 600 })
        .toBe(1);
      return answer;
    });
    const presence = presenceOf(made);
    const membership = presence.join('ada', 'one');
    membership.update('two');
    const state = async () => {
      const answer = await made.app.json('/v1/presence/room', { as: { ...MEMBER, sub: 'x' } });
      return answer.body.members[0]?.state;
    };
    await expect.poll(state).toBe('two');
    membership.leave();
    const again = presence.join('ada', 'three');
    await expect.poll(state).toBe('three');
    expect(again.state.kind).toBe('present');
    presence.close();
  });

  it('says once that what it tells of the moment is refused', async () => {
    const made = system({ claims: { sub: 'x', subscribe: ['**'], presence: ['**'] } });
    const presence = presenceOf(made);
    const typing = presence.typing('ada');
    typing.send(true);
    await expect.poll(() => made.errors).toMatchObject([{ message: 'typing on room: forbidden' }]);
    presence.close();
    expect(() => presence.typing('ada')).toThrow(TypeError);
  });
});

describe('a server', () => {
  const json = (body: unknown, status = 200, type = 'application/json') =>
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type } });
  const stream = (...lines: unknown[]) => {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
    });
    return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
  };
  const OPEN = { control: 'open', stream: 'x', heartbeat: 25, topics: [] };

  /** Answers the next opening of a stream in the place of the server. */
  function once(made: System, answer: () => Response): void {
    let done = false;
    made.intercept((url, init) => {
      if (done || init.method !== 'POST' || url.pathname !== '/v1/streams') return undefined;
      done = true;
      return answer();
    });
  }

  it.each(['ended', 'refused', 'wanted', 'toString', '__proto__'])(
    'that names a control event %s is not obeyed in it',
    async (control) => {
      const made = system({ random: () => 0 });
      once(made, () => stream(OPEN, { control, trouble: {} }, { control: 'close', reason: 'limit', retry: 1 }));
      const troubles: unknown[] = [];
      made.link.observe(() => troubles.push(made.link.status.trouble));
      const told = listen(made.link, 't');
      await untilLive(told);
      expect(troubles).toContainEqual({ kind: 'closed', reason: 'limit' });
      expect(made.errors).toEqual([]);
    },
  );

  it('that closes every stream without a time to wait is not asked all the time', async () => {
    const made = system({ random: () => 0.5 });
    made.intercept(() => stream(OPEN, { control: 'close', reason: 'limit', retry: 0 }));
    listen(made.link, 't');
    await expect.poll(() => made.link.status.attempts).toBe(2);
    expect(made.requests).toHaveLength(2);
  });

  it('that asks for a month of patience is not asked again at once', async () => {
    const made = system({ random: () => 0 });
    made.intercept(() => new Response('', { status: 503, headers: { 'Retry-After': '2592000' } }));
    listen(made.link, 't');
    await expect.poll(() => made.link.status.state).toBe('reconnecting');
    await new Promise((resolve) => setImmediate(resolve));
    expect(made.requests).toHaveLength(1);
  });

  it('that has lost the stream when a topic is added refuses no topic by that', async () => {
    const made = system({ random: () => 0 });
    const first = listen(made.link, 'a');
    await untilLive(first);
    made.intercept((_, init) =>
      init.method === 'PATCH' ? json({ code: 'not-found', status: 404 }, 404, 'application/problem+json') : undefined,
    );
    const second = listen(made.link, 'b');
    await untilLive(first, second);
    expect(second.states).toEqual(['live']);
  });

  it('of another kind, whose errors have codes too, is not believed', async () => {
    const made = system({ random: () => 0 });
    once(made, () => json({ code: 'FUNCTION_NOT_FOUND' }, 404));
    await untilLive(listen(made.link, 't'));
  });

  it.each<[string, unknown]>([
    ['no list of events', { events: 5, cursor: 'x', more: false }],
    ['events that are none', { events: [null], cursor: 'x', more: false }],
    ['a cursor that is none', { events: [], cursor: 7, more: false }],
    ['an event without a place', { events: [{ topic: 't', id: '??', data: 1 }], cursor: 'x', more: false }],
  ])('whose pages have %s is reported, and asked again', async (_, lie) => {
    const fallback = longPoll();
    const made = system({ fallback, random: () => 0 });
    let lies = false;
    made.intercept((_url, init) => {
      if (String(init.body).includes('"ndjson"')) return new Promise<Response>(() => undefined);
      if (!lies || !String(init.body).includes('"wait":25')) return undefined;
      lies = false;
      return json(lie);
    });
    const told = listen(made.link, 't');
    await expect.poll(() => fallback.obstacle(), { timeout: 8000 }).toBe('first-bytes-late');
    await untilLive(told);
    lies = true;
    await made.app.publish('t', 1);
    await expect.poll(told.data, { timeout: 5000 }).toEqual([1]);
    await made.app.publish('t', 2);
    await expect.poll(told.data, { timeout: 5000 }).toEqual([1, 2]);
  });
});

describe('a token function', () => {
  it('that is slow is not taken for a proxy that holds streams back', async () => {
    const fallback = longPoll();
    const { link } = system({
      fallback,
      token: async () => {
        await new Promise((resolve) => setTimeout(resolve, 4000));
        return tokenOf(READER);
      },
    });
    await untilLive(listen(link, 't'));
    expect([link.status.transport, fallback.obstacle()]).toEqual(['stream', undefined]);
  });

  it('whose tokens live shorter than the notice is not asked every second', async () => {
    let asked = 0;
    const { app, link } = system({
      random: () => 0,
      token: () => {
        asked += 1;
        return tokenOf({ ...READER, expiresIn: 40 });
      },
    });
    const told = listen(link, 't');
    await untilLive(told);
    await expect.poll(async () => (await app.json('/v1/streams')).body.streams.length).toBe(1);
    for (let n = 0; n < 3; n += 1) await app.publish('t', n);
    await expect.poll(told.data).toEqual([0, 1, 2]);
    expect(asked).toBeLessThanOrEqual(2);
  });
});

describe('definitions of events', () => {
  it('keep what is not JSON, or too large, out of the log', async () => {
    const { z } = await import('zod');
    const events = {
      t: {
        nothing: z.string().transform(() => undefined),
        large: z.number().transform((n) => 'x'.repeat(n)),
        big: z.string().transform(() => 1n),
      },
    };
    const app = new TestApp({ events });
    const publish = (type: string, data: unknown) => app.json('/v1/topics/t/events', { body: { type, data } });
    expect((await publish('nothing', 'x')).body).toMatchObject({
      code: 'invalid',
      errors: [{ path: 'data', message: 'not JSON' }],
    });
    expect((await publish('big', 'x')).body.code).toBe('invalid');
    expect((await publish('large', 300_000)).body.code).toBe('too-large');
    await expect(app.realtime.publish('free', { data: () => 1 })).rejects.toThrow(/not JSON/);
    expect((await app.json('/v1/topics/t/events?format=json')).body.events).toEqual([]);
    await app.realtime.close();
  });
});
