import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Row } from '../../../src/client/mutation.ts';
import {
  createLiveQuery,
  LINGER_MS,
  type LiveQuery,
  OVERDUE_MS,
  type QueryPlan,
} from '../../../src/client/records/live-query.ts';
import { contextOf, FakeOutbox, FakeServer, FakeTime, ok, refused, settled } from './fake-server.ts';

let server: FakeServer;
let outbox: FakeOutbox;
let time: FakeTime;
let query: LiveQuery;
let told: number;
let stop: () => void;
let stopped: number;

function open(plan: Partial<QueryPlan> = {}): void {
  const whole = { collection: 'things', filters: [], limit: 100, key: ['id'], version: 'version', ...plan };
  query = createLiveQuery(whole, contextOf(server, outbox, time), () => {
    stopped += 1;
  });
  stop = query.subscribe(() => {
    told += 1;
  });
}

const ids = () => query.getSnapshot().rows.map(({ id }) => id);
const kind = () => query.getSnapshot().state.kind;

async function live(plan?: Partial<QueryPlan>): Promise<void> {
  open(plan);
  await server.serve();
  server.stream.become({ kind: 'live' });
  await settled();
}

beforeEach(() => {
  server = new FakeServer();
  outbox = new FakeOutbox();
  time = new FakeTime();
  told = 0;
  stopped = 0;
  for (const key of ['a', 'b', 'c']) server.write(key, { n: 1 });
});

afterEach(() => {
  stop();
});

describe('a live query', () => {
  it('reads all pages, and follows from the cursor of the first with the same filters', async () => {
    server.pageRows = 1;
    open({ filters: ['n=eq.1'], order: 'n.asc' });
    expect(query.getSnapshot()).toEqual({ rows: [], state: { kind: 'loading' }, more: false });
    const [first] = server.asked;
    expect(first?.path).toBe('/v1/collections/things');
    expect([...(first?.query ?? [])]).toEqual([
      ['filter', 'n=eq.1'],
      ['order', 'n.asc'],
      ['limit', '199'],
    ]);
    server.compute(first!);
    server.write('d', { n: 1 });
    await server.serve();
    expect(server.stream.options).toEqual({ after: '3', filter: ['n=eq.1'] });
    expect(ids()).toEqual(['a', 'b', 'c', 'd']);
    expect(kind()).toBe('waiting');
    server.stream.become({ kind: 'live' });
    expect(kind()).toBe('live');
    server.stream.all();
    expect(ids()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('shows nothing of what came before its last page, nor what had gone by then, until the stream has come so far', async () => {
    server.pageRows = 1;
    open();
    const [first] = server.asked;
    server.compute(first!);
    first!.resolve(first!.answer!);
    await settled();
    server.write('c', { n: 2 });
    server.write('d', { n: 1 });
    server.write('c', { n: 3 });
    server.write('d', undefined);
    await server.serve();
    const shows = [{ n: 1 }, { n: 1 }, { n: 3 }];
    expect(query.getSnapshot().rows).toMatchObject(shows);
    for (let left = 4; left > 0; left -= 1) {
      server.stream.next();
      expect(query.getSnapshot().rows).toMatchObject(shows);
    }
    server.stream.next();
    expect(kind()).toBe('live');
    server.write('a', { n: 9 });
    server.stream.next();
    expect(query.getSnapshot().rows).toMatchObject([{ n: 9 }, { n: 1 }, { n: 3 }]);
  });

  it('tells once a turn, and shows the same object until then', async () => {
    await live();
    const before = query.getSnapshot();
    expect(query.getSnapshot()).toBe(before);
    told = 0;
    server.write('d', { n: 2 });
    server.write('e', { n: 2 });
    server.stream.all();
    expect(told).toBe(0);
    await settled();
    expect(told).toBe(1);
    expect(ids()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('after a gap reads the list again, keeps what shows until then, and begins a new subscription at its cursor', async () => {
    await live();
    const [a] = query.getSnapshot().rows;
    server.write('b', undefined);
    server.write('d', { n: 2 });
    const old = server.stream;
    old.gap();
    expect(old.isOpen).toBe(false);
    expect(ids()).toEqual(['a', 'b', 'c']);
    expect(kind()).toBe('waiting');
    await server.serve();
    expect(ids()).toEqual(['a', 'c', 'd']);
    expect(query.getSnapshot().rows[0]).toBe(a);
    expect(server.stream.options.after).toBe('5');
    expect(server.stream).not.toBe(old);
  });

  it('waits before it lists for the third time within a minute, and not after a calm one', async () => {
    await live();
    server.stream.gap();
    await server.serve();
    server.stream.gap();
    expect(server.asked).toEqual([]);
    await time.pass(100);
    await server.serve();
    expect(server.streams).toHaveLength(3);
    await time.pass(60_001);
    server.stream.gap();
    expect(server.asked).toHaveLength(1);
  });

  it.each([
    ['no answer', { kind: 'unreachable', why: 'network' }, 100],
    ['an answer of somebody else', { kind: 'strange', status: 200, what: 'media-type', retryAfter: undefined }, 100],
    ['an answer without records', ok({ cursor: '1' }), 100],
    ['a server that is busy', refused('unavailable', 5000), 5000],
    ['too many requests', refused('rate-limited', 50), 100],
  ] as const)('tries again after %s', async (_, answer, ms) => {
    open();
    server.asked[0]!.resolve(answer);
    await settled();
    expect(kind()).toBe('loading');
    await time.pass(ms - 1);
    expect(server.asked).toEqual([]);
    await time.pass(1);
    await server.serve();
    expect(ids()).toEqual(['a', 'b', 'c']);
  });

  it('begins the list anew when a later page is refused', async () => {
    server.pageRows = 1;
    open();
    server.compute(server.asked[0]!);
    server.asked[0]!.resolve(server.asked[0]!.answer!);
    await settled();
    server.asked[0]!.resolve(refused('invalid'));
    await settled();
    await time.pass(100);
    await server.serve();
    expect(ids()).toEqual(['a', 'b', 'c']);
  });

  it.each(['forbidden', 'not-found', 'invalid-filter', 'token-expired'] as const)(
    'says that the server refuses it (%s), until it is refreshed',
    async (code) => {
      open();
      server.asked[0]!.resolve(refused(code));
      await settled();
      expect(query.getSnapshot().state).toEqual({ kind: 'refused', code });
      await time.pass(100_000);
      expect(server.asked).toEqual([]);
      query.refresh();
      await server.serve();
      expect(ids()).toEqual(['a', 'b', 'c']);
      expect(kind()).toBe('waiting');
    },
  );

  it('says that records lack the fields that should name them', async () => {
    open({ key: ['uuid'] });
    await server.serve();
    expect(query.getSnapshot().state).toEqual({ kind: 'refused', code: 'unnamed' });
  });

  it('shows what becomes of its subscription', async () => {
    await live();
    for (const state of [
      { kind: 'parked', why: 'topics' },
      { kind: 'refused', code: 'forbidden' },
      { kind: 'waiting' },
      { kind: 'closed' },
    ] as const) {
      server.stream.become(state);
      expect(query.getSnapshot().state).toEqual(state);
    }
  });

  it('ignores an answer to a question that it has given up', async () => {
    open();
    const [asked] = server.asked;
    query.refresh();
    expect(asked?.isAborted).toBe(true);
    await server.serve();
    expect(server.streams).toHaveLength(1);
  });
});

describe('the life of a query', () => {
  it('goes on for a moment when nobody listens, and no list is read twice when somebody comes back', async () => {
    await live();
    stop();
    await time.pass(LINGER_MS - 1);
    const again = query.subscribe(() => {});
    await time.pass(LINGER_MS * 2);
    expect(server.streams).toHaveLength(1);
    expect(server.stream.isOpen).toBe(true);
    again();
    again();
    await time.pass(LINGER_MS);
    expect(server.stream.isOpen).toBe(false);
    expect(stopped).toBe(1);
    expect(query.getSnapshot()).toEqual({ rows: [], state: { kind: 'loading' }, more: false });
  });

  it('begins anew when somebody listens again after its end', async () => {
    await live();
    stop();
    await time.pass(LINGER_MS);
    outbox.enqueue({ kind: 'delete', collection: 'things', key: 'a' });
    expect(query.isRunning).toBe(false);
    stop = query.subscribe(() => {});
    await server.serve();
    expect(ids()).toEqual(['b', 'c']);
  });

  it('ends what is on its way', async () => {
    open();
    const [asked] = server.asked;
    stop();
    await time.pass(LINGER_MS);
    expect(asked?.isAborted).toBe(true);
    await settled();
    expect(time.next).toBeUndefined();
  });
});

describe('a record that the stream does not tell whole', () => {
  it('keeps what was omitted where that did not change', async () => {
    server.write('b', { n: 1, large: 'L' });
    await live();
    server.write('b', { n: 2, large: 'L' }, { omitted: ['large'] });
    server.stream.all();
    expect(server.asked).toEqual([]);
    expect(query.getSnapshot().rows[1]).toEqual({ id: 'b', n: 2, large: 'L', version: 3 });
  });

  it('is read with the list where it may have, and shows as it was until then', async () => {
    await live();
    server.write('b', { n: 2, large: 'L' }, { omitted: ['large', 'n'] });
    server.write('c', { n: 3 });
    server.stream.all();
    expect(query.getSnapshot().rows.map(({ n }) => n)).toEqual([1, 1, 1]);
    await server.serve();
    expect(query.getSnapshot().rows[1]).toEqual({ id: 'b', n: 2, large: 'L', version: 2 });
    expect(query.getSnapshot().rows[2]).toEqual({ id: 'c', n: 3, version: 2 });
  });
});

describe('what a live query shows is the same object', () => {
  it('while what happens changes none of it', async () => {
    await live({ limit: 2 });
    const before = query.getSnapshot();
    server.write('c', { n: 7 });
    outbox.enqueue({ kind: 'patch', collection: 'others', key: 'b', patch: { n: 9 } });
    server.stream.become({ kind: 'live' });
    server.stream.all();
    await settled();
    expect(query.getSnapshot()).toBe(before);
  });

  it('until a write of its records is on its way, or has come further, so that this can be shown too', async () => {
    await live();
    const before = query.getSnapshot();
    const mutation = outbox.enqueue({ kind: 'patch', collection: 'things', key: 'b', patch: { n: 1 } });
    const pending = query.getSnapshot();
    expect(pending).not.toBe(before);
    expect(pending.rows).toBe(before.rows);
    outbox.acknowledge(mutation, { version: 1, body: {} });
    expect(query.getSnapshot()).not.toBe(pending);
  });
});

describe('own writes', () => {
  it('show at once, and the outbox is told when the base shows them', async () => {
    await live();
    const mutation = outbox.enqueue({ kind: 'patch', collection: 'things', key: 'b', patch: { n: 5 } });
    outbox.enqueue({ kind: 'patch', collection: 'others', key: 'b', patch: { n: 9 } });
    expect(query.getSnapshot().rows[1]?.['n']).toBe(5);
    expect(query.pendingOf('b')).toEqual([mutation]);
    server.perform(mutation);
    server.stream.all();
    expect(outbox.shownIds).toEqual([mutation.id]);
    expect(query.versionOf('b')).toBe(2);
  });

  it('that were made before the query are in it', async () => {
    outbox.enqueue({ kind: 'create', collection: 'things', key: 'z', record: { id: 'z' } });
    open();
    expect(ids()).toEqual(['z']);
    await server.serve();
    expect(ids()).toEqual(['a', 'b', 'c', 'z']);
  });

  it('that the query does not see are let go of: by the list, where that cannot be told from the filters', async () => {
    await live({ filters: ['n=eq.1'] });
    const [hidden, unseen] = [
      { id: 'x', m: 1 },
      { id: 'y', n: 2 },
    ];
    const [first, second] = [hidden, unseen].map((record) =>
      outbox.enqueue({ kind: 'create', collection: 'things', key: record.id, record }),
    );
    outbox.acknowledge(second!, { version: 1, body: { ...unseen, version: 1 } });
    outbox.acknowledge(first!, { version: 1, body: { ...hidden, version: 1 } });
    expect(ids()).toEqual(['a', 'b', 'c', 'x']);
    expect(outbox.shownIds).toEqual([]);
    await settled();
    await time.pass(OVERDUE_MS);
    await server.serve();
    expect(ids()).toEqual(['a', 'b', 'c']);
    expect(outbox.shownIds).toHaveLength(2);
    await time.pass(OVERDUE_MS * 2);
    expect(time.next).toBeUndefined();
  });

  it('that the stream is late to show make the list be read, and no others', async () => {
    await live();
    const mutation = outbox.enqueue({ kind: 'patch', collection: 'things', key: 'b', patch: { n: 5 } });
    outbox.acknowledge(mutation, server.perform(mutation) as { version: number; body: Row });
    await settled();
    await time.pass(OVERDUE_MS - 1);
    server.stream.all();
    const late = outbox.enqueue({ kind: 'patch', collection: 'things', key: 'b', patch: { n: 6 } });
    outbox.acknowledge(late, server.perform(late) as { version: number; body: Row });
    await settled();
    await time.pass(1);
    expect(server.asked).toEqual([]);
    await time.pass(OVERDUE_MS);
    await server.serve();
    expect(query.pendingOf('b')).toEqual([]);
    server.write('b', { n: 7 });
    server.stream.all();
    expect(query.getSnapshot().rows[1]).toEqual({ id: 'b', n: 7, version: 4 });
  });
});

describe('a query of the first few', () => {
  it('says that there are more, and reads the list again when what it keeps does not suffice', async () => {
    for (const key of ['d', 'e', 'f']) server.write(key, { n: 1 });
    await live({ limit: 2 });
    expect(query.getSnapshot().more).toBe(true);
    expect(ids()).toEqual(['a', 'b']);
    for (const key of ['a', 'b']) server.write(key, undefined);
    server.stream.all();
    await settled();
    expect(ids()).toEqual(['c']);
    await server.serve();
    expect(ids()).toEqual(['c', 'd']);
  });
});
