import { afterEach, describe, expect, it } from 'vitest';
import { testApps } from './app.ts';

describe('reading', () => {
  const app = testApps(afterEach);

  it('begins where the first of Last-Event-ID, lastEventId, after, since and last says', async () => {
    const sluice = app();
    const [a, b, c] = await sluice.publish('t', 1, 2, 3, 4);
    const first = async (query: string, headers: Record<string, string> = {}) => {
      const { body } = await sluice.json(`/v1/topics/t/events?format=json&${query}`, { headers });
      return body.events[0]?.data;
    };
    const past = encodeURIComponent('2000-01-01T00:00:00Z');
    const all = `lastEventId=${b}&after=${a}&since=${past}&last=1`;
    expect(await first(all, { 'Last-Event-ID': c! })).toBe(4);
    expect(await first(all)).toBe(3);
    expect(await first(`after=${a}&since=${past}&last=1`)).toBe(2);
    expect(await first(`since=${past}&last=1`)).toBe(1);
    expect(await first('last=1')).toBe(4);
    expect(await first('')).toBe(1);
    expect(await first(`lastEventId=&after=${a}`)).toBe(2);
  });

  it('gives each of several topics its own place in one cursor', async () => {
    const sluice = app();
    await sluice.publish('a', 1, 2);
    await sluice.publish('b', 3);
    const path = '/v1/events?topic=a&topic=b&topic=a&format=json';
    const page = (await sluice.json(path)).body;
    expect(page.events.map(({ data }: { data: unknown }) => data)).toEqual([1, 2, 3]);
    await sluice.publish('b', 4);
    const next = (await sluice.json(`${path}&after=${page.cursor}`)).body;
    expect(next.events.map(({ data }: { data: unknown }) => data)).toEqual([4]);
  });

  it('tells of every gap on pages of several topics, one page at a time', async () => {
    const sluice = app();
    await sluice.publish('a', 1, 2, 3);
    await sluice.publish('b', 1, 2, 3);
    const page = (await sluice.json('/v1/events?topic=a&topic=b&format=json')).body;
    // The same positions of other logs: as if both had been begun anew.
    const old = page.cursor.replaceAll(/([0-9a-z]{5})[0-9a-z]{5}-/g, '$1zzzzz-');
    let after = old;
    const gaps: string[] = [];
    const events: unknown[] = [];
    for (let pages = 0; pages < 20; pages += 1) {
      const { body } = await sluice.json(`/v1/events?topic=a&topic=b&format=json&limit=2&after=${after}`);
      if (body.gap) gaps.push(`${body.gap.topic} ${body.gap.reason}`);
      events.push(...body.events);
      after = body.cursor;
      if (!body.more) break;
    }
    expect(gaps.sort()).toEqual(['a unknown-epoch', 'b unknown-epoch']);
    expect(events).toHaveLength(6);
  });

  it('answers a long poll when something comes, and empty when nothing does', async () => {
    const sluice = app();
    const [id] = await sluice.publish('t', 1);
    const poll = sluice.json(`/v1/topics/t/events?format=json&wait=20&after=${id}`);
    await expect.poll(() => sluice.realtime.gauges().subscriptions).toBe(1);
    await sluice.publish('t', 2);
    expect((await poll).body).toMatchObject({ events: [{ data: 2 }], more: false });
    const empty = await sluice.json(`/v1/topics/t/events?format=json&wait=1&after=latest`);
    expect(empty.body).toMatchObject({ events: [], more: false });
    expect(sluice.realtime.gauges().subscriptions).toBe(0);
  });

  it('lets go of a long poll whose caller went away', async () => {
    const sluice = app();
    const abort = new AbortController();
    const poll = sluice.ask('/v1/topics/t/events?format=json&wait=60', { signal: abort.signal });
    await expect.poll(() => sluice.realtime.gauges().subscriptions).toBe(1);
    abort.abort();
    await poll;
    expect(sluice.realtime.gauges().subscriptions).toBe(0);
  });

  it('gives the events of a stream their types as names when asked', async () => {
    const sluice = app();
    await sluice.json('/v1/topics/t/events', {
      body: [
        { type: 'paid', data: 1 },
        { type: 'error', data: 2 },
      ],
    });
    const stream = await sluice.stream('/v1/topics/t/events?named=1&after=earliest');
    await stream.told('ready');
    expect(stream.blocks.filter(({ event }) => !event?.startsWith('$')).map(({ event }) => event)).toEqual([
      'paid',
      undefined,
    ]);
  });

  const NOBODY = { watchedTopics: 0, leaseStreams: 0 };

  it('holds nothing of a stream whose reader has gone', async () => {
    const sluice = app();
    const stream = await sluice.stream('/v1/events?topic=a&topic=b');
    await stream.told('ready');
    expect(sluice.realtime.gauges()).toEqual({ ...NOBODY, streams: { sse: 1 }, topics: 2, subscriptions: 2 });
    await stream.close();
    expect(sluice.realtime.gauges()).toEqual({ ...NOBODY, streams: {}, topics: 0, subscriptions: 0 });
  });
});
