import { describe, expect, it } from 'vitest';
import { PAGE_SIZE, PageCollector, type PageResult } from '../../src/delivery/page-collector.ts';
import { FakeFeed } from './fakes.ts';

const TEN = { limit: 10, wait: false };

/** What a page says, in short. */
function short(result: PageResult) {
  if (result.kind !== 'page') return result.kind;
  const { events, cursor, more, gap } = result;
  return { data: events.map(({ data }) => data), cursor, more, ...(gap && { gap: gap.topic }) };
}

/** A feed that tells so many numbers at its start, in batches of at most `step`, as long as it is asked to go on. */
function feedOf(topic: string, count: number, { step = 4, from = 0 } = {}) {
  const state: { collector?: PageCollector } = {};
  const feed = new FakeFeed(topic, from, (self) => {
    while (self.position.seq < from + count && state.collector?.ready && self.closed === 0) {
      const size = Math.min(step, from + count - self.position.seq);
      self.deliver(...Array.from({ length: size }, (_, index) => self.position.seq + 1 + index));
    }
    if (state.collector?.ready) self.catchUp();
  });
  return { feed, state };
}

async function collect(
  options: { limit: number; wait: boolean },
  ...feeds: readonly ReturnType<typeof feedOf>[]
): Promise<PageResult> {
  const collector = new PageCollector(
    feeds.map(({ feed }) => feed),
    options,
  );
  for (const { state } of feeds) state.collector = collector;
  const result = await collector.collect();
  for (const { feed } of feeds) expect(feed.closed).toBe(1);
  return result;
}

describe('a page', () => {
  it('holds all there is when that is little, and says that there is no more', async () => {
    expect(short(await collect(TEN, feedOf('a', 3)))).toEqual({ data: [1, 2, 3], cursor: 'a000000000-3', more: false });
  });

  it('is empty where there is nothing', async () => {
    expect(short(await collect(TEN, feedOf('a', 0, { from: 7 })))).toEqual({
      data: [],
      cursor: 'a000000000-7',
      more: false,
    });
  });

  it.each([1, 3, 4, 9, 10, 11, 12, 100])(
    'holds at most its limit, and its cursor stands there (steps of %i)',
    async (step) => {
      const page = await collect(TEN, feedOf('a', 25, { step }));
      expect(short(page)).toEqual({
        data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        cursor: 'a000000000-10',
        more: true,
      });
    },
  );

  it.each([1, 5, 10, 100])('that is just full says that there is no more (steps of %i)', async (step) => {
    expect(short(await collect(TEN, feedOf('a', 10, { step })))).toMatchObject({
      more: false,
      cursor: 'a000000000-10',
    });
  });

  it('gives everything once when pages are read one after the other, over several topics', async () => {
    const totals = { a: 17, b: 0, c: 9 };
    const at: Record<string, number> = { a: 0, b: 0, c: 0 };
    const told: Record<string, unknown[]> = { a: [], b: [], c: [] };
    for (let pages = 0; ; pages += 1) {
      expect(pages).toBeLessThan(10);
      const feeds = Object.entries(totals).map(([topic, total]) =>
        feedOf(topic, total - at[topic]!, { from: at[topic]!, step: 3 }),
      );
      const page = await collect({ limit: 5, wait: false }, ...feeds);
      if (page.kind !== 'page') throw new Error(page.kind);
      expect(page.events.length).toBeLessThanOrEqual(5);
      for (const { json, data } of page.events) told[JSON.parse(json).topic]!.push(data);
      for (const part of page.cursor.split('.')) at[part.slice(0, 1)] = Number(part.split('-')[1]);
      if (!page.more) break;
    }
    for (const [topic, total] of Object.entries(totals))
      expect(told[topic]).toEqual(Array.from({ length: total }, (_, index) => index + 1));
  });

  it('is full at its size too, and holds at least one event', async () => {
    const large = 'x'.repeat(PAGE_SIZE / 2 + 1);
    const state: { collector?: PageCollector } = {};
    const feed = new FakeFeed('a', 0, (self) => self.deliver(large, large, 'small'));
    state.collector = new PageCollector([feed], TEN);
    expect(short(await state.collector.collect())).toMatchObject({ cursor: 'a000000000-2', more: true });
    const huge = new FakeFeed('a', 0, (self) => self.deliver('x'.repeat(PAGE_SIZE + 1), 'small'));
    const page = await new PageCollector([huge], TEN).collect();
    expect(page.kind === 'page' && page.events.length).toBe(1);
  });

  it('leaves out ephemeral events', async () => {
    const feed = new FakeFeed('a', 0, (self) => {
      self.deliver(1);
      self.deliverEphemeral('now');
      self.deliver(2);
      self.catchUp();
    });
    expect(short(await new PageCollector([feed], TEN).collect())).toEqual({
      data: [1, 2],
      cursor: 'a000000000-2',
      more: false,
    });
  });

  it('tells of a gap, and of a second one only on the next page', async () => {
    const gapped = (topic: string) =>
      new FakeFeed(topic, 2, (self) => {
        self.tellGap(8);
        self.deliver('x');
        self.catchUp();
      });
    const page = await new PageCollector([gapped('a'), gapped('b')], TEN).collect();
    expect(short(page)).toEqual({ data: ['x'], cursor: 'a000000000-9.b000000000-2', more: true, gap: 'a' });
    const next = await new PageCollector([new FakeFeed('a', 9, (self) => self.catchUp()), gapped('b')], TEN).collect();
    expect(short(next)).toEqual({ data: ['x'], cursor: 'a000000000-9.b000000000-9', more: false, gap: 'b' });
  });

  it('answers when its time is up with what there is, and that there may be more', async () => {
    const feed = new FakeFeed('a', 0, (self) => self.deliver(1));
    const collector = new PageCollector([feed], TEN);
    const page = collector.collect();
    collector.expire();
    collector.expire();
    expect(short(await page)).toEqual({ data: [1], cursor: 'a000000000-1', more: true });
    expect(feed.closed).toBe(1);
  });

  it('is unavailable when its time is up and nothing could be read', async () => {
    const collector = new PageCollector([new FakeFeed('a', 0), feedOf('b', 0).feed], TEN);
    const page = collector.collect();
    collector.expire();
    expect(await page).toEqual({ kind: 'unavailable' });
  });
});

describe('a long poll', () => {
  const WAIT = { limit: 10, wait: true };

  it('answers at once where something is there', async () => {
    expect(short(await collect(WAIT, feedOf('a', 3)))).toMatchObject({ data: [1, 2, 3], more: false });
  });

  it('waits for the first that comes, on any topic, and not for ephemeral events', async () => {
    const [a, b] = [new FakeFeed('a', 4, (self) => self.catchUp()), new FakeFeed('b', 5, (self) => self.catchUp())];
    const collector = new PageCollector([a, b], WAIT);
    let answered = false;
    const page = collector.collect().finally(() => {
      answered = true;
    });
    b.deliverEphemeral('now');
    await Promise.resolve();
    expect(answered).toBe(false);
    b.deliver('x');
    expect(short(await page)).toEqual({ data: ['x'], cursor: 'a000000000-4.b000000000-6', more: false });
    expect([a.closed, b.closed]).toEqual([1, 1]);
  });

  it('is empty at its deadline, with the cursor of what was passed over', async () => {
    const feed = new FakeFeed('a', 4, (self) => self.catchUp());
    const collector = new PageCollector([feed], WAIT);
    const page = collector.collect();
    feed.position = { ...feed.position, seq: 9 };
    collector.expire();
    expect(short(await page)).toEqual({ data: [], cursor: 'a000000000-9', more: false });
  });

  it('answers at once with a gap', async () => {
    const feed = new FakeFeed('a', 4, (self) => {
      self.tellGap(8);
      self.catchUp();
    });
    expect(short(await new PageCollector([feed], WAIT).collect())).toEqual({
      data: [],
      cursor: 'a000000000-8',
      more: false,
      gap: 'a',
    });
  });
});
