import { afterEach, describe, expect, it } from 'vitest';
import type { RealtimeOptions } from '../../src/http/realtime-options.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { createLocalHub } from '../support/local-hub.ts';
import { type TestApp, testApps } from './app.ts';

const ADA = { sub: 'ada', subscribe: ['**'] };

describe('GET /v1/accesses', () => {
  const app = testApps(afterEach);
  const audited = (options: RealtimeOptions = {}) => app({ audit: 'all', ...options });
  const read = async (from: TestApp, query = ''): Promise<any[]> =>
    (await from.json(`/v1/accesses${query}`)).body.accesses;
  const names = (accesses: readonly any[]) => accesses.map(({ name }) => name);

  it('tells an administrator who read which topic by a page', async () => {
    const sluice = audited({ node: 'node0001' });
    await sluice.publish('chat', 1);
    await sluice.json('/v1/events?topic=chat&topic=news&format=json', { as: ADA, headers: { 'X-Request-Id': 'r-1' } });
    await expect.poll(() => read(sluice), { timeout: 5000 }).toHaveLength(2);
    const accesses = await read(sluice, '?name=chat');
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(accesses).toEqual([
      {
        kind: 'page',
        name: 'chat',
        key: null,
        sub: 'ada',
        role: 'authenticated',
        address: null,
        request: 'r-1',
        node: 'node0001',
        since: time,
        until: time,
      },
    ]);
  });

  it('tells how long a poll waited', async () => {
    const sluice = audited();
    const page = sluice.json('/v1/topics/chat/events?format=json&wait=20&after=latest', { as: ADA });
    await expect.poll(() => sluice.realtime.gauges().subscriptions).toBe(1);
    await sluice.publish('chat', 1);
    await page;
    await expect.poll(() => read(sluice), { timeout: 5000 }).toHaveLength(1);
    const [{ since, until }] = await read(sluice);
    expect(Date.parse(until)).toBeGreaterThanOrEqual(Date.parse(since));
  });

  it('tells of each topic of a stream when its reading began and ended, also when it was changed from another node', async () => {
    const store = createMemoryStore();
    const hub = createLocalHub();
    const [holder, other] = ['node0001', 'node0002'].map((node) =>
      audited({ store, node, bus: hub.bus(node), tailCheckMs: 50 }),
    ) as [TestApp, TestApp];
    const stream = await holder.stream('/v1/streams', { as: ADA, body: { topics: [{ topic: 'a' }, { topic: 'b' }] } });
    await stream.told('ready');
    const open = async () => names((await read(other)).filter(({ until }) => until === null)).sort();
    await expect.poll(open, { timeout: 5000 }).toEqual(['a', 'b']);
    const id = stream.control('open')[0].stream;
    const change = { add: [{ topic: 'c' }, { topic: 'b' }], remove: ['a'] };
    await other.json(`/v1/streams/${id}`, { method: 'PATCH', as: ADA, body: change });
    await expect.poll(open, { timeout: 5000 }).toEqual(['b', 'c']);
    await stream.close();
    await expect.poll(open, { timeout: 5000 }).toEqual([]);
    const all = await read(other);
    expect(names(all).sort()).toEqual(['a', 'b', 'c']);
    for (const { kind, node, sub, since, until } of all) {
      expect([kind, node, sub]).toEqual(['stream', 'node0001', 'ada']);
      expect(Date.parse(until)).toBeGreaterThanOrEqual(Date.parse(since));
    }
  });

  it('begins a new entry when a stream goes on under another role', async () => {
    const sluice = audited();
    const stream = await sluice.stream('/v1/topics/t/events', { as: ADA });
    await stream.told('ready');
    const id = stream.control('open')[0].stream;
    const renew = (as: object) => sluice.json(`/v1/streams/${id}/token`, { method: 'PUT', as });
    expect((await renew(ADA)).status).toBe(200);
    expect((await renew({ ...ADA, role: 'auditor' })).status).toBe(200);
    const seen = async () => (await read(sluice)).map(({ role, until }) => `${role} ${until === null}`).sort();
    await expect.poll(seen, { timeout: 5000 }).toEqual(['auditor true', 'authenticated false']);
  });

  it('says when streams ended that ended with their node', async () => {
    const store = createMemoryStore();
    const [one, other] = [audited({ store }), audited({ store })];
    const stream = await one.stream('/v1/topics/t/events', { as: ADA });
    await stream.told('ready');
    await one.realtime.close();
    expect((await read(other)).map(({ until }) => typeof until)).toEqual(['string']);
  });

  it('notes no refused reading, and no topics unless told to', async () => {
    const store = createMemoryStore();
    const [all, collections] = [audited({ store }), app({ store })];
    await all.json('/v1/topics/secret/events?format=json', { as: { sub: 'eve' } });
    await all.json('/v1/topics/secret/events?format=json', { as: null });
    await collections.json('/v1/topics/chat/events?format=json', { as: ADA });
    await all.json('/v1/topics/last/events?format=json', { as: ADA });
    await collections.realtime.close();
    await all.realtime.close();
    const seen = await store.audit!.read({ limit: 100 });
    expect(seen.map(({ name }) => name)).toEqual(['last']);
  });

  it('chooses by name, reader and time, and goes on page by page', async () => {
    const store = createMemoryStore();
    const writer = audited({ store });
    for (const sub of ['ada', 'bob'])
      for (const topic of ['x', 'y'])
        await writer.json(`/v1/topics/${topic}/events?format=json`, { as: { sub, subscribe: ['**'] } });
    await writer.realtime.close();
    const sluice = audited({ store });
    expect(names(await read(sluice, '?sub=ada'))).toEqual(['y', 'x']);
    expect(names(await read(sluice, '?sub=ada&name=x'))).toEqual(['x']);
    expect(await read(sluice, '?until=2020-01-01T00:00:00Z')).toEqual([]);
    expect((await read(sluice, '?since=2020-01-01T00:00:00%2B01:00')).length).toBe(4);
    const seen: string[] = [];
    for (let page = ''; ; ) {
      const { body } = await sluice.json(`/v1/accesses?limit=3${page}`);
      seen.push(...body.accesses.map(({ sub, name }: any) => `${sub} ${name}`));
      if (body.next === undefined) break;
      page = `&page=${body.next}`;
    }
    expect(seen).toEqual(['bob y', 'bob x', 'ada y', 'ada x']);
  });

  it('is for administrators only, and refuses what it does not understand', async () => {
    const sluice = audited();
    expect(await sluice.refusal('/v1/accesses', { as: ADA })).toBe('403 forbidden');
    expect(await sluice.refusal('/v1/accesses', { as: null })).toBe('401 token-required');
    for (const query of ['limit=0', 'limit=1001', 'page=x', "page=1-2'", 'since=yesterday', 'sub=%00', 'sub='])
      expect(await sluice.refusal(`/v1/accesses?${query}`), query).toBe('400 invalid');
    expect(await sluice.refusal('/v1/accesses?name=a%20b')).toBe('400 invalid');
    const { audit: _, ...store } = createMemoryStore();
    expect(await audited({ store }).refusal('/v1/accesses')).toBe('404 not-found');
  });
});
