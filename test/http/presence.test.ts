import { afterEach, describe, expect, it } from 'vitest';
import type { RealtimeOptions } from '../../src/http/realtime-options.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { createLocalHub } from '../support/local-hub.ts';
import { type Ask, type Streaming, type TestApp, type TokenClaims, testApps } from './app.ts';
import { fallibleStore } from './fallible-store.ts';

const ADA: TokenClaims = { sub: 'ada', subscribe: ['**'], presence: ['**'] };
const BOB: TokenClaims = { ...ADA, sub: 'bob' };
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const pathOf = (topic: string, member?: string) =>
  `/v1/presence/${encodeURIComponent(topic)}${member === undefined ? '' : `/${encodeURIComponent(member)}`}`;

const put = (app: TestApp, topic: string, member: string, body: unknown = {}, ask: Ask = {}) =>
  app.json(pathOf(topic, member), { method: 'PUT', as: ADA, body, ...ask });
const leave = (app: TestApp, topic: string, member: string, as: TokenClaims | null = ADA) =>
  app.json(pathOf(topic, member), { method: 'DELETE', as });
const membersOf = async (app: TestApp, topic: string, as: TokenClaims | null = ADA): Promise<any[]> =>
  (await app.json(pathOf(topic), { as })).body.members;
const names = async (app: TestApp, topic: string) => (await membersOf(app, topic)).map(({ member }) => member);

/** Changes in short; a sync as the names of its members. */
const short = (stream: Streaming, topic?: string) =>
  stream
    .control('presence')
    .filter((each) => topic === undefined || each.topic === topic)
    .map(({ change, member, members }) =>
      change === 'sync' ? `sync ${members.map((each: any) => each.member).join(',')}` : `${change} ${member}`,
    );
const idOf = async (stream: Streaming): Promise<string> => (await stream.told('open')).stream;

/** Lets so much time pass that what was renewed before cannot be taken for a renewal after the end of a stream. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 100));

describe('presence', () => {
  const app = testApps(afterEach);
  /** Two nodes on one store, or what may stand for it. */
  const pair = (options: RealtimeOptions = {}): readonly [TestApp, TestApp] => {
    const store = createMemoryStore();
    const hub = createLocalHub();
    const [one, other] = ['node0001', 'node0002'].map((node) =>
      app({ store, node, bus: hub.bus(node), tailCheckMs: 50, ...options }),
    );
    return [one!, other!];
  };

  it('joins, renews and leaves', async () => {
    const sluice = app();
    const joined = await put(sluice, 'chat:lobby', 'ada', { state: { mood: 'fine' }, ttl: 30 });
    expect(joined.status).toBe(200);
    expect(joined.body).toEqual({ member: 'ada', state: { mood: 'fine' }, since: TIME, seen: TIME, expires: TIME });
    expect(Date.parse(joined.body.expires) - Date.parse(joined.body.seen)).toBe(30_000);
    const renewed = await put(sluice, 'chat:lobby', 'ada');
    expect(renewed.body).toMatchObject({ state: { mood: 'fine' }, since: joined.body.since });
    expect(Date.parse(renewed.body.expires) - Date.parse(renewed.body.seen)).toBe(30_000);
    expect(await membersOf(sluice, 'chat:lobby')).toEqual([
      { member: 'ada', state: { mood: 'fine' }, since: joined.body.since, seen: renewed.body.seen },
    ]);
    for (let time = 0; time < 2; time += 1) expect((await leave(sluice, 'chat:lobby', 'ada')).status).toBe(204);
    expect(await membersOf(sluice, 'chat:lobby')).toEqual([]);
  });

  it('takes a join without a body, and a state as it was written', async () => {
    const sluice = app();
    const bare = await sluice.json(pathOf('t', 'ada'), { method: 'PUT', as: ADA });
    expect(bare.body).toMatchObject({ member: 'ada', state: null });
    expect(Date.parse(bare.body.expires) - Date.parse(bare.body.seen)).toBe(45_000);
    const state = '{"a":1e400,"b":12345678901234567890,"c":"\\u0000"}';
    await put(sluice, 't', 'ada', `{"state":${state}}`);
    const list = await (await sluice.ask(pathOf('t'), { as: ADA })).text();
    expect(list).toContain(`"state":${state}`);
    const stream = await sluice.stream('/v1/topics/t/events?presence=1', { as: ADA });
    await stream.told('presence');
    expect(stream.blocks.find(({ event }) => event === '$presence')?.data).toContain(`"state":${state}`);
  });

  it('refuses what is not of its form', async () => {
    const sluice = app();
    const refused = (member: string, body: unknown, ask: Ask = {}) =>
      sluice.refusal(pathOf('t', member), { method: 'PUT', as: ADA, body, ...ask });
    for (const body of [{ ttl: 4 }, { ttl: 301 }, { ttl: 5.5 }, { ttl: '45' }, { stream: '' }, { mood: 1 }, [], null])
      expect(await refused('ada', body), JSON.stringify(body)).toBe('400 invalid');
    for (const member of ['x'.repeat(129), 'a\u0007b']) expect(await refused(member, {}), member).toBe('400 invalid');
    expect(await refused('ada', '{')).toBe('400 malformed');
    expect(await refused('ada', 'x', { type: 'text/plain' })).toBe('415 unsupported-media-type');
    expect(await refused('ada', { state: 'x'.repeat(4095) })).toBe('413 too-large');
    expect(await refused('ada', { state: 'é'.repeat(2048) })).toBe('413 too-large');
    expect((await put(sluice, 't', 'x'.repeat(128), { state: 'x'.repeat(4094) })).status).toBe(200);
    expect(await sluice.refusal('/v1/presence/a%20b', { as: ADA })).toBe('400 invalid-topic');
  });

  it('asks for a right of its own', async () => {
    const sluice = app();
    const as = { sub: 'eve', subscribe: ['**'], publish: ['**'], presence: ['mine'] };
    const streams = { method: 'POST', body: { topics: [{ topic: 't', presence: true }] } };
    const asks: readonly (readonly [string, Ask])[] = [
      [pathOf('t'), {}],
      [pathOf('t', 'eve'), { method: 'PUT', body: {} }],
      [pathOf('t', 'eve'), { method: 'DELETE' }],
      ['/v1/topics/t/events?presence=1', {}],
      ['/v1/events?topic=mine&topic=t&presence=1', {}],
      ['/v1/streams', streams],
    ];
    for (const [path, ask] of asks) {
      expect(await sluice.refusal(path, { ...ask, as }), path).toBe('403 forbidden');
      expect(await sluice.refusal(path, { ...ask, as: null }), path).toBe('401 token-required');
    }
    expect((await put(sluice, 'mine', 'eve', {}, { as })).status).toBe(200);
    // A page tells of no members, so it asks for nothing.
    expect((await sluice.json('/v1/topics/t/events?format=json&presence=1', { as })).status).toBe(200);
    const stream = await sluice.stream('/v1/topics/t/events', { as });
    const path = `/v1/streams/${await idOf(stream)}`;
    const add = (topic: string) => ({ method: 'PATCH', as, body: { add: [{ topic, presence: true }] } });
    expect(await sluice.refusal(path, add('t'))).toBe('403 forbidden');
    expect((await sluice.json(path, add('mine'))).status).toBe(200);
    const renew = (more: TokenClaims) => ({ method: 'PUT', as: { ...as, ...more } });
    expect(await sluice.refusal(`${path}/token`, renew({ presence: [] }))).toBe('403 forbidden');
    expect((await sluice.json(`${path}/token`, renew({ presence: ['**'] }))).status).toBe(200);
  });

  it('keeps a live lease for its subject, and lets administrators end any', async () => {
    const sluice = app();
    await put(sluice, 't', 'ada');
    const bobs = { as: BOB };
    expect((await put(sluice, 't', 'ada', {}, bobs)).body.code).toBe('forbidden');
    expect((await leave(sluice, 't', 'ada', BOB)).body.code).toBe('forbidden');
    expect((await put(sluice, 't', 'ada', {}, { as: { ...BOB, admin: true } })).body.code).toBe('forbidden');
    expect((await leave(sluice, 't', 'ada', { ...BOB, admin: true })).status).toBe(204);
    expect((await put(sluice, 't', 'ada', {}, bobs)).status).toBe(200);
  });

  it('shows members to a ticket that was made for it, and lets none join with one', async () => {
    const sluice = app();
    await put(sluice, 't', 'ada');
    const ticketOf = async (body: object, as = ADA) => (await sluice.json('/v1/tickets', { as, body })).body;
    const { ticket: plain } = await ticketOf({ topics: ['t'] });
    const { ticket } = await ticketOf({ topics: ['t'], presence: true });
    const code = await ticketOf({ topics: ['t'], presence: true }, { sub: 'eve', subscribe: ['**'] });
    expect(code.code).toBe('forbidden');
    const none = { as: null };
    expect((await sluice.json(`${pathOf('t')}?ticket=${ticket}`, none)).body.members).toHaveLength(1);
    expect(await sluice.refusal(`${pathOf('u')}?ticket=${ticket}`, none)).toBe('403 forbidden');
    expect(await sluice.refusal(`${pathOf('t')}?ticket=${plain}`, none)).toBe('403 forbidden');
    expect(await sluice.refusal(`/v1/topics/t/events?presence=1&ticket=${plain}`, none)).toBe('403 forbidden');
    const stream = await sluice.stream(`/v1/topics/t/events?presence=1&ticket=${ticket}`, none);
    await expect.poll(() => short(stream)).toEqual(['sync ada']);
    for (const method of ['PUT', 'DELETE'])
      expect(await sluice.refusal(`${pathOf('t', 'ada')}?ticket=${ticket}`, { method, as: null })).toBe(
        '403 forbidden',
      );
  });

  it('holds a topic to its members, and writers to their rate', async () => {
    const sluice = app({ limits: { membersPerTopic: 2 }, callerLimits: { writesPerSubject: 5 } });
    await put(sluice, 't', 'a');
    await put(sluice, 't', 'b');
    const full = await put(sluice, 't', 'c');
    expect([full.status, full.body.code, full.headers.get('Retry-After')]).toEqual([429, 'too-many-members', '5']);
    await leave(sluice, 't', 'a');
    expect((await put(sluice, 't', 'c')).status).toBe(200);
    const limited = await put(sluice, 't', 'c');
    expect([limited.status, limited.body.code]).toEqual([429, 'rate-limited']);
  });

  it('tells a stream first of all members, and then of each change, once and in order', async () => {
    const [one, other] = pair();
    await put(one, 't', 'ada', { state: 1 });
    const streams = [
      await one.stream('/v1/topics/t/events?presence=1', { as: BOB }),
      await other.stream('/v1/streams', { as: BOB, body: { topics: [{ topic: 't', presence: true }] } }),
    ];
    for (const stream of streams) await expect.poll(() => short(stream)).toEqual(['sync ada']);
    await put(other, 't', 'bob', { state: 'hi' }, { as: BOB });
    await put(one, 't', 'ada', { state: 2 });
    await put(other, 't', 'ada');
    await put(other, 't', 'ada', { state: 2 });
    await leave(other, 't', 'bob', BOB);
    await put(one, 't', 'carl');
    const all = ['sync ada', 'join bob', 'update ada', 'leave bob', 'join carl'];
    for (const stream of streams) {
      await expect.poll(() => short(stream)).toEqual(all);
      const since = TIME;
      expect(stream.control('presence').slice(0, 4)).toEqual([
        { topic: 't', change: 'sync', members: [{ member: 'ada', state: 1, since }] },
        { topic: 't', change: 'join', member: 'bob', state: 'hi', since },
        { topic: 't', change: 'update', member: 'ada', state: 2 },
        { topic: 't', change: 'leave', member: 'bob', state: 'hi' },
      ]);
    }
  });

  it('tells streams that did not ask nothing, and one of many topics of each that asked', async () => {
    const sluice = app();
    const plain = await sluice.stream('/v1/topics/a/events', { as: ADA });
    const body = { topics: [{ topic: 'a', presence: true }, { topic: 'b' }, { topic: 'c', presence: true }] };
    const many = await sluice.stream('/v1/streams', { as: ADA, body });
    await expect.poll(() => short(many)).toEqual(['sync ', 'sync ']);
    for (const topic of ['a', 'b', 'c']) await put(sluice, topic, 'ada');
    await expect.poll(() => short(many, 'a')).toEqual(['sync ', 'join ada']);
    await expect.poll(() => short(many, 'c')).toEqual(['sync ', 'join ada']);
    expect(short(many, 'b')).toEqual([]);
    await sluice.publish('a', 1);
    await expect.poll(() => plain.data()).toEqual([1]);
    expect(short(plain)).toEqual([]);
  });

  it('begins and ends with PATCH, also on a topic that was there already', async () => {
    const [one, other] = pair();
    const stream = await one.stream('/v1/topics/a/events', { as: ADA });
    const path = `/v1/streams/${await idOf(stream)}`;
    const patch = (body: unknown) => other.json(path, { method: 'PATCH', as: ADA, body });
    await put(one, 'a', 'ada');
    expect(
      (
        await patch({
          add: [
            { topic: 'a', presence: true },
            { topic: 'b', presence: true },
          ],
        })
      ).status,
    ).toBe(200);
    await expect.poll(() => short(stream, 'a')).toEqual(['sync ada']);
    await expect.poll(() => short(stream, 'b')).toEqual(['sync ']);
    expect(one.realtime.gauges().watchedTopics).toBe(2);
    await patch({ add: [{ topic: 'a', presence: true }], remove: ['b'] });
    expect(one.realtime.gauges().watchedTopics).toBe(1);
    await put(other, 'b', 'ada');
    await leave(other, 'a', 'ada');
    await expect.poll(() => short(stream, 'a')).toEqual(['sync ada', 'leave ada']);
    expect(short(stream, 'b')).toEqual(['sync ']);
    await stream.close();
    await expect.poll(() => one.realtime.gauges().watchedTopics).toBe(0);
  });

  it('ends by itself, to the millisecond in lists and at once for watchers', { timeout: 20_000 }, async () => {
    const [one, other] = pair();
    const stream = await other.stream('/v1/topics/t/events?presence=1', { as: BOB });
    const { body } = await put(one, 't', 'ada', { ttl: 5 });
    await expect.poll(() => short(stream)).toEqual(['sync ', 'join ada']);
    const expires = Date.parse(body.expires);
    for (;;) {
      const asked = Date.now();
      const present = await names(other, 't');
      // What was asked before the end may have been answered after it.
      if (asked >= expires) expect(present).toEqual([]);
      if (Date.now() < expires) expect(present).toEqual(['ada']);
      if (asked >= expires) break;
    }
    await expect.poll(() => short(stream), { timeout: 1000 }).toEqual(['sync ', 'join ada', 'leave ada']);
    expect(Date.now() - expires).toBeLessThan(1000);
    expect((await put(other, 't', 'ada', {}, { as: BOB })).status).toBe(200);
  });

  describe.each([
    ['of this node', 0],
    ['of another node', 1],
  ] as const)('a lease that names a stream %s', (_, node) => {
    it('is kept alive by it, and ends soon after it', { timeout: 30_000 }, async () => {
      const nodes = pair();
      const [writer, holder] = [nodes[0], nodes[node]];
      const watcher = await writer.stream('/v1/topics/t/events?presence=1', { as: BOB });
      const stream = await holder.stream('/v1/topics/other/events', { as: ADA });
      const joined = await put(writer, 't', 'ada', { ttl: 5, stream: await idOf(stream) });
      expect(joined.status).toBe(200);
      expect(holder.realtime.gauges().leaseStreams).toBe(1);
      // Beyond its ttl.
      await expect
        .poll(async () => Date.parse((await membersOf(writer, 't'))[0]?.seen) - Date.parse(joined.body.seen), {
          timeout: 10_000,
        })
        .toBeGreaterThan(5000);
      expect(short(watcher)).toEqual(['sync ', 'join ada']);
      const ended = Date.now();
      await stream.close();
      await expect.poll(() => short(watcher).at(-1), { timeout: 10_000 }).toBe('leave ada');
      expect(Date.now() - ended).toBeLessThan(6000);
      expect(holder.realtime.gauges().leaseStreams).toBe(0);
    });

    it('goes on with another stream, or by renewal', { timeout: 30_000 }, async () => {
      const nodes = pair();
      const [writer, holder] = [nodes[0], nodes[node]];
      const first = await holder.stream('/v1/topics/t/events', { as: ADA });
      const stream = await idOf(first);
      for (const member of ['back', 'renewed', 'gone']) await put(writer, 't', member, { stream });
      await settled();
      await first.close();
      const second = await writer.stream('/v1/topics/t/events', { as: ADA });
      await put(writer, 't', 'back', { stream: await idOf(second) });
      await put(writer, 't', 'renewed');
      await expect.poll(() => names(writer, 't'), { timeout: 10_000 }).toEqual(['back', 'renewed']);
    });

    it('must be the caller’s own, and open', async () => {
      const nodes = pair();
      const [writer, holder] = [nodes[0], nodes[node]];
      const stream = await holder.stream('/v1/topics/t/events', { as: BOB });
      const id = await idOf(stream);
      const refused = (name: string) =>
        writer.refusal(pathOf('t', 'ada'), { method: 'PUT', as: ADA, body: { stream: name } });
      expect(await refused(id)).toBe('404 not-found');
      expect(await refused('nonsense')).toBe('404 not-found');
      expect(await refused(`${id.slice(0, 8)}${'0'.repeat(32)}`)).toBe('404 not-found');
      expect(await names(writer, 't')).toEqual([]);
    });

    it('ends when the stream comes under a token without the right', async () => {
      const nodes = pair();
      const [writer, holder] = [nodes[0], nodes[node]];
      const stream = await holder.stream('/v1/topics/t/events', { as: ADA });
      const id = await idOf(stream);
      for (const topic of ['mine', 't']) await put(writer, topic, 'ada', { stream: id });
      const as = { ...ADA, presence: ['mine'] };
      expect((await writer.json(`/v1/streams/${id}/token`, { method: 'PUT', as })).status).toBe(200);
      await expect.poll(() => names(writer, 't')).toEqual([]);
      expect(await names(writer, 'mine')).toEqual(['ada']);
    });
  });

  it('outlasts the end of a node for those who come back as they are told', { timeout: 30_000 }, async () => {
    const [one, other] = pair();
    const stream = await one.stream('/v1/topics/t/events', { as: ADA });
    await put(one, 't', 'ada', { stream: await idOf(stream) });
    await settled();
    await one.realtime.close();
    const [{ seen }] = await membersOf(other, 't');
    await expect.poll(() => names(other, 't'), { timeout: 20_000, interval: 100 }).toEqual([]);
    expect(Date.now() - Date.parse(seen)).toBeGreaterThan(10_000);
  });

  it('waits while the store is away, and then tells what has changed', { timeout: 20_000 }, async () => {
    const fallible = fallibleStore();
    const [one, other] = pair({ store: fallible.store });
    const [watcher, stream] = [
      await other.stream('/v1/topics/t/events?presence=1', { as: BOB }),
      await one.stream('/v1/topics/t/events', { as: ADA }),
    ];
    await put(one, 't', 'ada', { ttl: 5, stream: await idOf(stream) });
    const bob = await put(one, 't', 'bob', { ttl: 5 });
    await expect.poll(() => short(watcher)).toEqual(['sync ', 'join ada', 'join bob']);
    fallible.away = true;
    expect((await put(one, 't', 'carl')).status).toBe(503);
    const late = await one.stream('/v1/topics/t/events?presence=1', { as: BOB });
    await late.told('open');
    // Nobody can be renewed until every lease of before has ended.
    const ended = Date.parse(bob.body.expires);
    await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(ended + 500);
    expect(short(watcher)).toHaveLength(3);
    expect(short(late)).toEqual([]);
    fallible.away = false;
    await put(one, 't', 'carl');
    // The member whose stream is open was never gone; the one that had to renew itself, and could not, is.
    await expect
      .poll(() => short(watcher), { timeout: 5000 })
      .toEqual(['sync ', 'join ada', 'join bob', 'join carl', 'leave bob']);
    expect(await names(other, 't')).toEqual(['ada', 'carl']);
    expect(short(late)[0]).toMatch(/^sync ada,bob/);
  });

  it('asks the store nothing where nobody is present and nobody watches', async () => {
    /** A node on a store of its own, and what it has asked of that. */
    const counting = () => {
      const asked: string[] = [];
      const store = createMemoryStore();
      const presence = new Proxy(store.presence!, {
        get(target, name) {
          const member = Reflect.get(target, name);
          return typeof member !== 'function'
            ? member
            : (...args: unknown[]) => {
                asked.push(String(name));
                return member.apply(target, args);
              };
        },
      });
      return { asked, sluice: app({ store: { ...store, presence }, tailCheckMs: 10 }) };
    };
    // What another node asks in the meantime, which is watched, is the measure of how long nothing is asked here.
    const other = counting();
    await other.sluice.stream('/v1/topics/t/events?presence=1', { as: ADA });
    const whileOthersAsk = async (times: number) => {
      const least = other.asked.length + times;
      await expect.poll(() => other.asked.length).toBeGreaterThan(least);
    };
    const { asked, sluice } = counting();
    const stream = await sluice.stream('/v1/topics/t/events', { as: ADA });
    await stream.told('ready');
    await sluice.publish('t', 1);
    await stream.close();
    await whileOthersAsk(10);
    expect(asked).toEqual([]);
    const watching = await sluice.stream('/v1/topics/t/events?presence=1', { as: ADA });
    await expect.poll(() => asked.filter((name) => name === 'heads').length).toBeGreaterThan(3);
    await watching.close();
    await expect.poll(() => sluice.realtime.gauges().watchedTopics).toBe(0);
    // What was on its way when it was closed.
    await whileOthersAsk(5);
    const before = asked.length;
    await whileOthersAsk(10);
    expect(asked.length).toBe(before);
  });

  it('is not there where the store keeps none', async () => {
    const { presence: _, ...store } = createMemoryStore();
    const sluice = app({ store });
    for (const [path, method] of [
      [pathOf('t'), 'GET'],
      [pathOf('t', 'ada'), 'PUT'],
      [pathOf('t', 'ada'), 'DELETE'],
      ['/v1/topics/t/events?presence=1', 'GET'],
    ] as const)
      expect(await sluice.refusal(path, { method, as: ADA }), path).toBe('404 not-found');
  });
});
