import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Row } from '../../../src/client/mutation.ts';
import { LINGER_MS, LiveQuery, OVERDUE_MS, type QueryPlan } from '../../../src/client/records/live-query.ts';
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
  query = new LiveQuery(whole, contextOf(server, outbox, time), () => {
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

  it('does the same when the server does not know the cursor', async () => {
    await live();
    server.stream.become({ kind: 'refused', code: 'invalid-cursor' });
    await server.serve();
    expect(server.streams).toHaveLength(2);
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
  it('is read by its key, within the query', async () => {
    await live({ filters: ['n=gte.1'] });
    server.write('b', { n: 2, large: 'L' }, { omitted: ['large', 'n'] });
    server.stream.all();
    expect(ids()).toEqual(['a', 'b', 'c']);
    expect(server.asked[0]?.query.getAll('filter')).toEqual(['id=eq.b', 'n=gte.1']);
    await server.serve();
    expect(query.getSnapshot().rows[1]).toEqual({ id: 'b', n: 2, large: 'L', version: 2 });
  });

  it('is not shown when it went while it was read', async () => {
    await live();
    server.write('d', { n: 1, large: 'L' }, { omitted: ['large'] });
    server.stream.all();
    server.compute(server.asked[0]!);
    server.write('d', undefined);
    server.stream.all();
    await server.serve();
    expect(ids()).toEqual(['a', 'b', 'c']);
  });

  it('is read again when it changed while it was read, and when it could not be', async () => {
    await live();
    server.write('b', { n: 2, large: 'L' }, { omitted: ['large', 'n'] });
    server.stream.all();
    server.compute(server.asked[0]!);
    server.write('b', { n: 3, large: 'M' }, { omitted: ['large', 'n'] });
    server.stream.all();
    const asked = server.asked[0]!;
    asked.resolve(asked.answer!);
    await settled();
    expect(query.getSnapshot().rows[1]?.['large']).toBe('L');
    server.asked[0]!.resolve({ kind: 'unreachable', why: 'network' });
    await settled();
    expect(server.asked).toEqual([]);
    await time.pass(100);
    await server.serve();
    expect(query.getSnapshot().rows[1]?.['large']).toBe('M');
  });

  it('is read with the others when there are very many', async () => {
    await live({ limit: 1000 });
    for (let n = 0; n <= 100; n += 1) server.write(`k${n}`, { n, large: 'L' }, { omitted: ['large'] });
    server.stream.all();
    await server.serve();
    expect(server.streams).toHaveLength(2);
    expect(ids()).toHaveLength(104);
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

  it('that the stream does not show are looked up, and those that the query does not see are let go of', async () => {
    await live({ filters: ['n=eq.1'] });
    const hidden = { id: 'x', m: 1 };
    const mutation = outbox.enqueue({ kind: 'create', collection: 'things', key: 'x', record: hidden });
    outbox.acknowledge(mutation, { version: 1, body: { ...hidden, version: 1 } });
    expect(ids()).toEqual(['a', 'b', 'c', 'x']);
    await time.pass(OVERDUE_MS);
    expect(server.asked[0]?.query.getAll('filter')).toEqual(['id=eq.x', 'n=eq.1']);
    await server.serve();
    expect(ids()).toEqual(['a', 'b', 'c']);
    expect(outbox.shownIds).toEqual(['m1']);
    await time.pass(OVERDUE_MS * 2);
    expect(time.next).toBeUndefined();
  });

  it('that the stream is late to show are looked up', async () => {
    await live();
    const mutation = outbox.enqueue({ kind: 'patch', collection: 'things', key: 'b', patch: { n: 5 } });
    const answer = server.perform(mutation) as { version: number; body: Row };
    outbox.acknowledge(mutation, answer);
    await time.pass(OVERDUE_MS);
    await server.serve();
    expect(query.pendingOf('b')).toEqual([]);
    server.write('b', { n: 6 });
    server.stream.all();
    expect(query.getSnapshot().rows[1]).toEqual({ id: 'b', n: 6, version: 3 });
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
