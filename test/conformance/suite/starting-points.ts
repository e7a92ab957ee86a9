/** Section 2: where to start, and what is said when history is missing. */
import { describe, expect } from 'vitest';
import { eventsPath, type Kit, numbers, type Query } from './client.ts';
import type { Stream } from './stream.ts';
import type { Suite } from './target.ts';

const data = (events: readonly any[]): unknown[] => events.map((event) => event.data);

/** What a stream replays before `$ready`. */
async function replayed(stream: Stream): Promise<any[]> {
  await stream.control('ready');
  const end = stream.frames.findIndex((frame) => frame.control === 'ready');
  return stream.frames
    .slice(0, end)
    .filter((frame) => frame.control === undefined)
    .map((frame) => frame.data);
}

/** A topic whose second half was written measurably later than its first. */
async function twoHalves(kit: Kit): Promise<{ topic: string; ids: string[]; since: string }> {
  const topic = kit.topic();
  const ids = await kit.publishNumbers(topic, 1, 3);
  const before = (await kit.page(topic)).events.at(-1).time;
  // The server's clock decides: write elsewhere until it shows a later millisecond.
  const clock = kit.topic('clock');
  for (let now = before; now <= before; ) now = (await kit.publish(clock, { data: 0 })).events[0].time;
  ids.push(...(await kit.publishNumbers(topic, 4, 6)));
  const since = (await kit.page(topic)).events[3].time;
  expect(since > before).toBe(true);
  return { topic, ids, since };
}

export const BAD_CURSORS = [
  'x',
  '0',
  '-1',
  '-',
  'abc-',
  '0123456789--1',
  '0123456789-1e3',
  '0123456789-1.5',
  '0123456789-99999999999999999999',
  '0123456789-1 ',
  '0123456789-1..0123456789-2',
  'EARLIEST',
  'null',
  '../../etc/passwd',
  "' or 1=1 --",
  'é'.repeat(20),
  '%00',
];

export function startingPoints({ it }: Suite): void {
  describe('2 where to start', () => {
    it('is live only when nothing is said', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 3);
      const stream = await kit.stream(topic);
      expect(await replayed(stream)).toEqual([]);
      await kit.publishNumbers(topic, 4, 4);
      expect(data(await stream.events(1))).toEqual([4]);
    });

    it.for(['sse', 'ndjson', 'json'])('obeys after, since and last as %s', async (format, { kit }) => {
      const { topic, ids, since } = await twoHalves(kit);
      const starts: [Query, number[]][] = [
        [{ after: 'earliest' }, numbers(1, 6)],
        [{ after: 'latest' }, []],
        [{ after: ids[1] }, numbers(3, 6)],
        [{ lastEventId: ids[4] }, [6]],
        [{ since }, numbers(4, 6)],
        [{ since: new Date(Date.parse(since)).toISOString().replace('Z', '+00:00') }, numbers(4, 6)],
        [{ since: '2000-01-01T02:00:00+02:00' }, numbers(1, 6)],
        [{ since: '2100-01-01T00:00:00Z' }, []],
        [{ last: 2 }, [5, 6]],
        [{ last: 100 }, numbers(1, 6)],
        [{ last: 0 }, []],
      ];
      for (const [query, expected] of starts) {
        const events =
          format === 'json'
            ? (await kit.page(topic, query)).events
            : await replayed(await kit.stream(topic, { ...query, format }));
        expect(data(events), JSON.stringify(query)).toEqual(expected);
      }
    });

    it('takes the first of Last-Event-ID, lastEventId, after, since, last', async ({ kit }) => {
      const { topic, ids, since } = await twoHalves(kit);
      const header = { headers: { 'last-event-id': ids[4] ?? '' } };
      const rest = { since, last: 1 };
      const all = { lastEventId: ids[3], after: ids[0], ...rest };
      expect(data((await kit.page(topic, all, header)).events)).toEqual([6]);
      expect(data((await kit.page(topic, all)).events)).toEqual([5, 6]);
      expect(data((await kit.page(topic, { after: ids[0], ...rest })).events)).toEqual(numbers(2, 6));
      expect(data((await kit.page(topic, rest)).events)).toEqual(numbers(4, 6));
      expect(data(await replayed(await kit.stream(topic, all, header)))).toEqual([6]);
      expect(data(await replayed(await kit.stream(topic, all)))).toEqual([5, 6]);
      expect(data(await replayed(await kit.stream(topic, { after: ids[0], ...rest })))).toEqual(numbers(2, 6));
      expect(data(await replayed(await kit.stream(topic, rest)))).toEqual(numbers(4, 6));
    });

    it('goes on live after the newest n', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 5);
      const stream = await kit.stream(topic, { last: 2 });
      expect(data(await stream.events(2))).toEqual([4, 5]);
      await stream.control('ready');
      await kit.publishNumbers(topic, 6, 7);
      expect(data(await stream.events(2))).toEqual([6, 7]);
      expect(stream.frames.some((frame) => frame.control === 'gap')).toBe(false);
    });

    it.for(BAD_CURSORS)('refuses the cursor %j', async (cursor, { kit }) => {
      const path = eventsPath(kit.topic());
      for (const query of [{ after: cursor }, { lastEventId: cursor }]) {
        kit.refused(await kit.ask('GET', path, { query: { ...query, format: 'json' } }), 400);
        kit.refused(await kit.ask('GET', path, { query }), 400);
      }
      const body = { topics: [{ topic: kit.topic(), after: cursor }] };
      kit.refused(await kit.ask('POST', '/v1/streams', { body }), 400);
    });

    it('refuses a malformed Last-Event-ID, since and last', async ({ kit }) => {
      const path = eventsPath(kit.topic());
      kit.refused(await kit.ask('GET', path, { headers: { 'last-event-id': 'not a cursor' } }), 400);
      for (const since of ['yesterday', '', '2024-13-01T00:00:00Z', '2024-01-01', '0', '1e9'])
        kit.refused(await kit.ask('GET', path, { query: { since } }), 400);
      for (const last of ['-1', 'all', '1.5', '', '9'.repeat(25)])
        kit.refused(await kit.ask('GET', path, { query: { last } }), 400);
    });
  });

  describe('2 $gap', () => {
    /** A cursor of the same log under another epoch, and one beyond its end. */
    const otherEpoch = (id: string): string =>
      id.replace(/(.)-(\d+)$/, (_, c, seq) => `${c === 'z' ? 'a' : 'z'}-${seq}`);
    const beyond = (id: string): string => id.replace(/-\d+$/, '-1000');

    it('tells unknown-epoch, and goes on from the oldest', async ({ kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 5);
      const requested = otherEpoch(ids[2] ?? '');
      const stream = await kit.stream(topic, {}, { headers: { 'last-event-id': requested } });
      const { data: gap } = await stream.control('gap');
      expect(gap).toEqual({ topic, requested, oldest: expect.any(String), latest: ids[4], reason: 'unknown-epoch' });
      const all = await kit.page(topic, { after: gap.oldest });
      expect(data(all.events), 'what lies after `oldest` is all there is').toEqual(numbers(1, 5));
      expect(data(await stream.events(5))).toEqual(numbers(1, 5));
      await stream.control('ready');
      await kit.publishNumbers(topic, 6, 6);
      expect(data(await stream.events(1))).toEqual([6]);
      expect(stream.frames.filter((frame) => frame.control === 'gap')).toHaveLength(1);
    });

    it('tells ahead for a cursor beyond the end, and delivers what comes', async ({ kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 3);
      const requested = beyond(ids[2] ?? '');
      const stream = await kit.stream(topic, { after: requested });
      const { data: gap } = await stream.control('gap');
      expect(gap).toEqual({ topic, requested, oldest: expect.any(String), latest: ids[2], reason: 'ahead' });
      await stream.control('ready');
      await kit.publish(topic, { data: 'new' });
      await stream.take((frame) => frame.data.data === 'new', 'the new event');
    });

    it('tells the readers of NDJSON, of pages and of the long poll', async ({ kit }) => {
      const topic = kit.topic();
      const [id = ''] = await kit.publishNumbers(topic, 1, 1);
      for (const [requested, reason] of [
        [otherEpoch(id), 'unknown-epoch'],
        [beyond(id), 'ahead'],
      ]) {
        const stream = await kit.stream(topic, { after: requested, format: 'ndjson' });
        expect((await stream.control('gap')).data).toMatchObject({ topic, requested, reason, latest: id });
        expect((await kit.page(topic, { after: requested })).gap).toMatchObject({ topic, requested, reason });
        expect((await kit.page(topic, { after: requested, wait: 1 })).gap).toMatchObject({ topic, reason });
      }
    });

    it('concerns one topic of several, and leaves the others where they were', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const [lastA = ''] = (await kit.publishNumbers(a, 1, 3)).slice(1);
      const idsB = await kit.publishNumbers(b, 1, 3);
      const body = {
        topics: [
          { topic: a, after: otherEpoch(lastA) },
          { topic: b, after: idsB[1] },
        ],
      };
      const stream = await kit.openStream(body);
      const events = await replayed(stream);
      const gaps = stream.frames.filter((frame) => frame.control === 'gap');
      expect(gaps.map((frame) => frame.data.topic)).toEqual([a]);
      expect(data(events.filter((event) => event.topic === a))).toEqual([1, 2, 3]);
      expect(data(events.filter((event) => event.topic === b))).toEqual([3]);
    });

    it('or a refusal answers the cursor of another topic: never silence', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const [id] = await kit.publishNumbers(a, 1, 1);
      await kit.publishNumbers(b, 1, 2);
      const answer = await kit.ask('GET', eventsPath(b), { query: { after: id, format: 'json' } });
      if (answer.status === 200) expect(answer.json.gap).toMatchObject({ topic: b, reason: 'unknown-epoch' });
      else kit.refused(answer, 400);
    });

    it('is not told to a reader whose history is all there', async ({ kit }) => {
      const topic = kit.topic();
      const { cursor } = await kit.page(topic);
      const ids = await kit.publishNumbers(topic, 1, 3);
      for (const query of [
        { after: cursor },
        { after: ids[0] },
        { after: ids[2] },
        { after: 'earliest' },
        { last: 9 },
      ]) {
        const stream = await kit.stream(topic, query);
        await stream.control('ready');
        expect(stream.frames.filter((frame) => frame.control === 'gap')).toEqual([]);
      }
    });
  });
}

/** Expired history: for a target that keeps little of each topic. */
export function expiredHistory({ it, target }: Suite): void {
  const retention = target.features?.retention;
  if (retention === undefined) return;
  const { events: kept, withinMs } = retention;
  describe('2 $gap expired', () => {
    it('is told to a reader whose history has been let go; delivery goes on from the oldest', {
      timeout: withinMs + 60_000,
    }, async ({ kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, kept * 2);
      const deadline = Date.now() + withinMs;
      let page = await kit.page(topic, { limit: 1 });
      while (page.events[0].data === 1 && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        page = await kit.page(topic, { limit: 1 });
      }
      const first: number = page.events[0].data;
      expect(first, 'nothing has been let go').toBeGreaterThan(1);
      expect(kept * 2 - first + 1, 'more than allowed was let go').toBeGreaterThanOrEqual(kept);
      expect(page.gap, 'the earliest is where the log begins, not a gap').toBeUndefined();
      const stream = await kit.stream(topic, {}, { headers: { 'last-event-id': ids[0] ?? '' } });
      const { data: gap } = await stream.control('gap');
      expect(gap).toMatchObject({ topic, requested: ids[0], latest: ids.at(-1), reason: 'expired' });
      const rest = data(await stream.events(5)) as number[];
      expect(rest).toEqual(numbers(rest[0] ?? 0, (rest[0] ?? 0) + 4));
      expect(rest[0]).toBeGreaterThanOrEqual(first);
      expect(gap.oldest, 'just before the first event that came').toBe(ids[(rest[0] ?? 0) - 2]);
      expect((await kit.page(topic, { after: ids[0] })).gap).toMatchObject({ topic, reason: 'expired' });
    });
  });
}
