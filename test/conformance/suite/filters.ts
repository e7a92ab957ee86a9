/** Section 2: types, filters and conflation. */
import { describe, expect } from 'vitest';
import { eventsPath, numbers } from './client.ts';
import type { Suite } from './target.ts';

const ROWS = [
  { n: 1, name: 'ada', open: true, tag: null, at: { city: 'Oslo', zip: 150 } },
  { n: 9, name: 'bob', open: false, tag: 'x', at: { city: 'Rome', zip: 42 } },
  { n: 10, name: 'cyd', open: true, tag: 'y, z', at: { city: 'Oslo', zip: 9 } },
  { n: -2.5, name: '10', open: false, at: {} },
];

/** Each filter with the rows that it lets through, by number. */
const CASES: readonly (readonly [string, readonly number[]])[] = [
  ['n=eq.9', [1]],
  ['n=neq.9', [0, 2, 3]],
  ['n=gt.9', [2]],
  ['n=gte.9', [1, 2]],
  ['n=lt.1', [3]],
  ['n=lte.1', [0, 3]],
  ['n=lte.-2.5', [3]],
  ['n=in.(1,10)', [0, 2]],
  ['name=eq.bob', [1]],
  ['name=gt.ada', [1, 2]],
  ['name=in.(ada,cyd,nobody)', [0, 2]],
  ['name=eq.10', [3]],
  ['open=is.true', [0, 2]],
  ['open=is.false', [1, 3]],
  ['open=eq.true', [0, 2]],
  ['tag=is.null', [0, 3]],
  ['tag=eq.x', [1]],
  ['tag=eq.y, z', [2]],
  ['tag=in.("y, z",x)', [1, 2]],
  ['at.city=eq.Oslo', [0, 2]],
  ['at.zip=gt.9', [0, 1]],
  ['at.city.deeper=eq.Oslo', []],
  ['missing=eq.1', []],
  ['constructor.name=eq.Object', []],
  ['__proto__.n=eq.1', []],
  ['toString=neq.1', []],
];

export function filters({ it }: Suite): void {
  describe('2 filters and types', () => {
    it('lets through what the operator says, on pages and on streams', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(
        topic,
        ROWS.map((data) => ({ data })),
      );
      for (const [filter, expected] of CASES) {
        const rows = expected.map((index) => ROWS[index]);
        const page = await kit.page(topic, { filter });
        expect(
          page.events.map((event: any) => event.data),
          filter,
        ).toEqual(rows);
        const stream = await kit.stream(topic, { filter, after: 'earliest' });
        await stream.control('ready');
        const sent = stream.frames.filter((frame) => frame.control === undefined);
        expect(
          sent.map((frame) => frame.data.data),
          filter,
        ).toEqual(rows);
        stream.close();
      }
    });

    it('asks all of several filters and the types to hold', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(
        topic,
        numbers(1, 20).map((n) => ({ data: { n }, type: n % 2 === 0 ? 'even' : n % 3 === 0 ? 'three' : 'odd' })),
      );
      const found = async (query: object) =>
        (await kit.page(topic, { ...query })).events.map((event: any) => event.data.n);
      expect(await found({ filter: ['n=gt.5', 'n=lt.8'] })).toEqual([6, 7]);
      expect(await found({ types: 'even', filter: 'n=lte.4' })).toEqual([2, 4]);
      expect(await found({ types: 'three' })).toEqual([3, 9, 15]);
      expect(await found({ types: 'three,even', filter: 'n=lte.6' })).toEqual([2, 3, 4, 6]);
      expect(await found({ types: 'none' })).toEqual([]);
    });

    it('filters what is live as it filters history, and keeps each event’s own id', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(topic, [{ data: { n: 1 } }, { data: { n: 2 } }]);
      const stream = await kit.stream(topic, { filter: 'n=gte.2', after: 'earliest' });
      await stream.control('ready');
      const answer = await kit.publish(topic, [
        { data: { n: 0 } },
        { data: { n: 3 } },
        { data: 'end' },
        { data: { n: 4 } },
      ]);
      await stream.take((frame) => frame.data.data?.n === 4, 'n = 4');
      const sent = stream.frames.filter((frame) => frame.control === undefined);
      expect(sent.map((frame) => frame.data.data.n)).toEqual([2, 3, 4]);
      expect(sent.at(-1)?.id).toBe(answer.cursor);
    });

    it('gives exactly the matching events when filtered pages are walked', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(
        topic,
        numbers(1, 200).map((n) => ({ data: { n } })),
      );
      const found: number[] = [];
      let after = 'earliest';
      for (let more = true; more; ) {
        const page = await kit.page(topic, { filter: 'n=in.(3,50,51,199)', limit: 2, after });
        expect(page.events.length).toBeLessThanOrEqual(2);
        found.push(...page.events.map((event: any) => event.data.n));
        ({ more, cursor: after } = page);
      }
      expect(found).toEqual([3, 50, 51, 199]);
    });

    it.for(['n', 'n=', 'n=eq', '=eq.1', 'n=like.1', 'n=EQ.1', 'n=is.maybe', 'n..m=eq.1', '.n=eq.1', 'n.=eq.1', ''])(
      'refuses the filter %j',
      async (filter, { kit }) => {
        kit.refused(await kit.ask('GET', eventsPath(kit.topic()), { query: { format: 'json', filter } }), 400);
        kit.refused(await kit.ask('GET', eventsPath(kit.topic()), { query: { filter: [filter, 'n=eq.1'] } }), 400);
        const body = { topics: [{ topic: kit.topic(), filter }] };
        kit.refused(await kit.ask('POST', '/v1/streams', { body }), 400);
      },
    );
  });

  describe('2 conflate', () => {
    it('sends at most one event per key per interval, the newest, and ends with the last of each', async ({ kit }) => {
      const topic = kit.topic();
      const every = 200;
      const stream = await kit.stream(topic, { conflate: every });
      await stream.control('ready');
      const started = Date.now();
      for (const n of numbers(1, 60))
        await kit.publish(topic, [
          { key: 'a', data: n },
          { key: 'b', data: n },
        ]);
      const last: Record<string, number> = {};
      const sent: Record<string, number[]> = { a: [], b: [] };
      while (last['a'] !== 60 || last['b'] !== 60) {
        const [event] = await stream.events(1);
        last[event.key] = event.data;
        sent[event.key]?.push(event.data);
      }
      const intervals = (Date.now() - started) / every;
      for (const values of Object.values(sent)) {
        expect(values).toEqual([...values].sort((x, y) => x - y));
        expect(new Set(values).size).toBe(values.length);
        expect(values.length).toBeLessThanOrEqual(Math.ceil(intervals) + 1);
      }
    });

    it('leaves the reader at a position from which nothing is missed', async ({ kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic, { conflate: 100 });
      await stream.control('ready');
      await kit.publish(
        topic,
        numbers(1, 10).map((data) => ({ key: 'k', data })),
      );
      const frame = await stream.take((each) => each.data.data === 10, 'the newest');
      await kit.publish(topic, { key: 'k', data: 11 });
      const page = await kit.page(topic, { after: frame.id });
      expect(page.events.map((event: any) => event.data)).toEqual([11]);
    });

    it('refuses an interval that is no number', async ({ kit }) => {
      for (const conflate of ['soon', '-5', '1.5', ''])
        kit.refused(await kit.ask('GET', eventsPath(kit.topic()), { query: { conflate } }), 400);
    });
  });
}
