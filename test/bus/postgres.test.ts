import postgres from 'postgres';
import { afterAll, afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { BusSignal, Envelope } from '../../src/bus/bus.ts';
import { createPostgresBus, type PostgresBus, type PostgresBusOptions } from '../../src/bus/postgres.ts';
import { createDatabaseSocket } from '../../src/node/database-socket.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { describeBus } from './contract.ts';

const URL = 'postgres://postgres@127.0.0.1:5432/test';
const admin = postgres(URL, { max: 1, fetch_types: false });
afterAll(() => admin.end({ timeout: 1 }));

// Nothing is kept in the database, so a channel of its own separates a system from all others.
let channels = 0;
function freshChannel(): string {
  channels += 1;
  return `bus_test_${process.pid}_${channels}`;
}

describeBus('postgres', async () => {
  const channelName = freshChannel();
  return { bus: (node) => createPostgresBus({ database: URL, node, channelName }), close: async () => {} };
});

interface Heard {
  readonly bus: PostgresBus;
  readonly envelopes: Envelope[];
  /** The nodes that have been heard to {@link meet} this one. */
  readonly met: ReadonlySet<string>;
  readonly resumed: () => number;
}

function listenTo(options: Partial<PostgresBusOptions> & { readonly node: string }): Heard {
  const bus = createPostgresBus({ database: URL, ...options });
  onTestFinished(() => bus.close());
  const envelopes: Envelope[] = [];
  const met = new Set<string>();
  let resumed = 0;
  bus.listen(
    (envelope) => {
      if (envelope.signal.kind === 'call' && envelope.signal.operation === 'meet') met.add(envelope.from);
      else envelopes.push(envelope);
    },
    () => {
      resumed += 1;
    },
  );
  return { bus, envelopes, met, resumed: () => resumed };
}

/** Waits until both are connected and know of each other: what is said before may go unheard. */
async function meet(...nodes: readonly [Heard, Heard]): Promise<void> {
  let said = Number.NEGATIVE_INFINITY;
  await until('both have met', () => {
    if (!nodes.every(({ bus }) => bus.connected)) return false;
    // Seldom enough that none still waits to be sent when they have met.
    if (performance.now() - said > 300) {
      for (const { bus } of nodes) bus.send({ kind: 'call', call: 'meet', operation: 'meet', body: null });
      said = performance.now();
    }
    return nodes.every(({ met }) => met.size > 0);
  });
}

const hint = (seq: number): BusSignal => ({ kind: 'appended', heads: [['t', seq]] });
const call = (name: string): BusSignal => ({ kind: 'call', call: name, operation: 'ask', body: null });

describe('the bus over Postgres', () => {
  const faults: unknown[] = [];
  const note = (fault: unknown) => faults.push(fault);
  process.on('unhandledRejection', note);
  afterAll(() => process.off('unhandledRejection', note));
  afterEach(() => expect(faults.splice(0)).toEqual([]));

  it('hears again after its session was terminated, and says that something may be lost', async () => {
    const channelName = freshChannel();
    const node = `cut-${process.pid}`;
    const cut = listenTo({ node, channelName });
    const other = listenTo({ node: 'other', channelName });
    await meet(cut, other);
    expect(cut.resumed()).toBe(1);
    const ended = await admin`
      select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${`sluice bus ${node}`}`;
    expect(ended).toHaveLength(1);
    await until('it is told', () => cut.resumed() === 2);
    expect(cut.bus.connected).toBe(true);
    other.bus.send(hint(1));
    cut.bus.send(hint(2));
    await until('both hear', () => cut.envelopes.length === 1 && other.envelopes.length === 1);
    expect(cut.envelopes).toEqual([{ from: 'other', signal: hint(1) }]);
    expect(other.envelopes).toEqual([{ from: node, signal: hint(2) }]);
    expect(other.resumed()).toBe(1);
  });

  it('sends a storm of 10,000 appends in a few statements', async () => {
    const channelName = freshChannel();
    const a = listenTo({ node: 'a', channelName });
    const b = listenTo({ node: 'b', channelName });
    await meet(a, b);
    for (let seq = 1; seq <= 10_000; seq += 1) {
      a.bus.send(hint(seq));
      // In a hundred ticks, so that statements are in flight meanwhile.
      if (seq % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const last = () => b.envelopes.at(-1)?.signal;
    await until('the last is heard', () => JSON.stringify(last()) === JSON.stringify(hint(10_000)));
    expect(b.envelopes.length).toBeLessThanOrEqual(a.bus.counts.statements);
    expect(a.bus.counts.statements).toBeLessThan(200);
    expect(a.bus.counts.dropped).toBe(0);
  });

  it('says nothing while it is alone, is heard by whoever comes, and falls silent again when they have gone', async () => {
    const channelName = freshChannel();
    const a = listenTo({ node: 'a', channelName, probeMs: 50 });
    await until('it knows that it is alone', () => {
      a.bus.send(hint(1));
      return a.bus.counts.unsaid > 0;
    });
    const { statements } = a.bus.counts;
    for (let seq = 2; seq < 20; seq += 1) a.bus.send(hint(seq));
    // A session of another channel is no company.
    const stranger = listenTo({ node: 'stranger', channelName: freshChannel() });
    await until('the stranger is connected', () => stranger.bus.connected);
    a.bus.send(hint(20));
    const b = createPostgresBus({ database: URL, node: 'b', channelName });
    const heard: BusSignal[] = [];
    b.listen(
      ({ signal }) => heard.push(signal),
      () => {},
    );
    await until('b is connected', () => b.connected);
    await until('b hears a', () => {
      a.bus.send(hint(21));
      return heard.length > 0;
    });
    expect(heard[0]).toEqual(hint(21));
    expect(a.bus.counts.statements).toBeGreaterThan(statements);
    // Several looks around later, both still know of each other.
    const looks = new Set<number>();
    await until('a has looked around again and again', async () => {
      const [row] = await admin`
        select query_start::text as at from pg_stat_activity
        where application_name = 'sluice bus a' and query like '%pg_locks%' order by query_start desc limit 1`;
      if (row !== undefined) looks.add(Date.parse(String(row['at'])));
      return looks.size > 3;
    });
    const { unsaid } = a.bus.counts;
    b.send(hint(22));
    a.bus.send(hint(23));
    await until('both hear', () => a.envelopes.length > 0 && JSON.stringify(heard).includes('23'));
    expect(a.bus.counts.unsaid).toBe(unsaid);
    await b.close();
    await until('a is alone', () => {
      a.bus.send(hint(24));
      return a.bus.counts.unsaid > unsaid;
    });
  });

  it('outlives an outage of the database: hints are said afterwards, the late rest is dropped, attempts are few', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: 5432 });
    onTestFinished(() => proxy.close());
    const channelName = freshChannel();
    let clock = 0;
    let warnings = 0;
    const away = listenTo({
      node: 'away',
      channelName,
      database: `postgres://postgres@127.0.0.1:${proxy.port}/test`,
      now: () => clock,
      log: {
        info: () => {},
        warn: () => {
          warnings += 1;
        },
      },
    });
    const other = listenTo({ node: 'other', channelName });
    await meet(away, other);
    proxy.refuse();
    await until('it notices', () => !away.bus.connected);
    const start = performance.now();
    away.bus.send(hint(1));
    away.bus.send(call('late'));
    away.bus.send({ kind: 'revoked' });
    away.bus.send({ kind: 'revoked' });
    await until('it tries again and again', () => warnings >= 4);
    // Before the fourth failure lie pauses of at least 50, 100 and 200 ms; a few milliseconds are the timers' own.
    expect(performance.now() - start).toBeGreaterThan(300);
    clock += 60_000;
    away.bus.send(hint(2));
    await proxy.mend();
    await until('it is back', () => away.bus.connected);
    expect(away.resumed()).toBe(2);
    await until('the hints are heard', () => other.envelopes.length >= 3);
    expect(other.envelopes.map(({ signal }) => signal)).toEqual([hint(1), { kind: 'revoked' }, hint(2)]);
    expect(away.bus.counts.dropped).toBe(1);
  });

  it('notices a line that died without a word, by probing an idle session', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: 5432 });
    onTestFinished(() => proxy.close());
    const channelName = freshChannel();
    const database = `postgres://postgres@127.0.0.1:${proxy.port}/test`;
    const a = listenTo({ node: 'a', channelName, database, probeMs: 50, statementMs: 200 });
    await until('it is connected', () => a.bus.connected);
    proxy.freeze();
    await until('it notices', () => !a.bus.connected);
    await proxy.mend();
    await until('it is back', () => a.resumed() === 2);
    const b = listenTo({ node: 'b', channelName });
    await until('b is connected', () => b.bus.connected);
    b.bus.send(hint(1));
    await until('it hears', () => a.envelopes.length === 1);
  });

  it('says the hints of a statement without answer again', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: 5432 });
    onTestFinished(() => proxy.close());
    const channelName = freshChannel();
    const database = `postgres://postgres@127.0.0.1:${proxy.port}/test`;
    const a = listenTo({ node: 'a', channelName, database, statementMs: 200 });
    const b = listenTo({ node: 'b', channelName });
    await meet(a, b);
    proxy.freeze();
    a.bus.send(hint(1));
    await until('it gives up', () => !a.bus.connected);
    a.bus.send({ kind: 'appended', heads: [['later', 2]] });
    // What was held back never arrives, so what is heard was said again.
    proxy.refuse();
    await proxy.mend();
    await until('both are heard', () => JSON.stringify(b.envelopes).includes('later'));
    expect(b.envelopes.flatMap(({ signal }) => (signal.kind === 'appended' ? signal.heads : []))).toEqual(
      expect.arrayContaining([
        ['t', 1],
        ['later', 2],
      ]),
    );
  });

  it.each(['refuse', 'freeze'] as const)('closes within a second when the database is away (%s)', async (fault) => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: 5432 });
    onTestFinished(() => proxy.close());
    const channelName = freshChannel();
    const a = listenTo({ node: 'a', channelName, database: `postgres://postgres@127.0.0.1:${proxy.port}/test` });
    await until('it is connected', () => a.bus.connected);
    proxy[fault]();
    a.bus.send(hint(1));
    const start = performance.now();
    await a.bus.close();
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(a.bus.connected).toBe(false);
  });

  it('starts while the database is away', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: 5432 });
    onTestFinished(() => proxy.close());
    proxy.refuse();
    const warnings: string[] = [];
    const a = listenTo({
      node: 'a',
      channelName: freshChannel(),
      database: `postgres://postgres:secret@127.0.0.1:${proxy.port}/test`,
      log: { info: () => {}, warn: (fields, text) => warnings.push(`${text} ${JSON.stringify(fields)}`) },
    });
    await until('it has tried', () => warnings.length >= 2);
    expect(a.bus.connected).toBe(false);
    expect(warnings.join()).not.toContain('secret');
    await proxy.mend();
    await until('it is connected', () => a.bus.connected && a.resumed() === 1);
  });

  it('does not spin behind a port forwarder whose database is away', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: 5432 });
    onTestFinished(() => proxy.close());
    const database = `postgres://postgres@127.0.0.1:${proxy.port}/test`;
    const channelName = freshChannel();
    const a = listenTo({ node: 'a', channelName, database, socket: createDatabaseSocket(), random: () => 1 });
    await until('it is connected', () => a.bus.connected);
    const before = proxy.taken;
    proxy.hangUp();
    const start = performance.now();
    await until('it has tried three times', () => proxy.taken === before + 3);
    expect(performance.now() - start).toBeGreaterThan(690);
    await proxy.mend();
    await until('it is back', () => a.resumed() === 2);
  });

  it('does not spin when the database refuses it', async () => {
    let attempts = 0;
    const bus = createPostgresBus({
      database: (options) => {
        attempts += 1;
        return postgres(URL, { ...options, database: `no_such_database_${process.pid}` });
      },
      node: 'a',
      random: () => 1,
    });
    onTestFinished(() => bus.close());
    const start = performance.now();
    await until('it has tried three times', () => attempts === 3);
    expect(performance.now() - start).toBeGreaterThan(290);
  });

  it('drops and counts what strangers say, and still hears the nodes', async () => {
    const channelName = freshChannel();
    const a = listenTo({ node: 'a', channelName });
    const b = listenTo({ node: 'b', channelName });
    await meet(a, b);
    const strange = [
      '',
      'hello',
      '{"from":"x","signal":{"kind":"revoked"}}',
      's1 x 1 0/1 ',
      's1 x 1 0/1 {"kind":"revoked"',
      's1 x 1 0/1 {"kind":"revoked","more":1}',
      's1 x 1 0/1 {"kind":"revoked","__proto__":{}}',
      's1 x 1 0/1 {"kind":"appended","heads":[["a b",1]]}',
      's1 x 1 0/1 {"kind":"appended","heads":[["a",-1]]}',
      's1 x 1 0/1 {"kind":"appended","heads":[["a","1"]]}',
      's1 x 1 0/1 {"kind":"ephemeral","topic":"t","time":1e300,"bodies":["\\"type\\":\\"x\\",\\"data\\":1}"]}',
      's1 x 1 0/1 {"kind":"ephemeral","topic":"t","time":1,"bodies":["no json"]}',
      's1 x 1 0/1 {"kind":"ephemeral","topic":"t","time":1,"bodies":["\\"type\\":\\"x\\",\\"data\\":1,\\n\\"key\\":\\"k\\"}"]}',
      's1 x 1 0/1 {"kind":"ephemeral","topic":"t","time":1,"bodies":["\\"id\\":\\"a-1\\",\\"type\\":\\"x\\",\\"data\\":1}"]}',
      's1 x 1 5/2 {}',
      's1 x 1 0/9999 {}',
      's1 x/y 1 0/1 {"kind":"revoked"}',
    ];
    for (const payload of strange) await admin`select pg_notify(${channelName}, ${payload})`;
    b.bus.send(hint(1));
    await until('the node is heard', () => a.envelopes.length > 0);
    expect(a.envelopes).toEqual([{ from: 'b', signal: hint(1) }]);
    expect(a.bus.counts.malformed).toBe(strange.length);
  });

  it('drops a signal of which a part was lost, and counts it', async () => {
    const channelName = freshChannel();
    const a = listenTo({ node: 'a', channelName });
    await until('it is connected', () => a.bus.connected);
    for (const payload of ['s1 x 1 0/3 {"kind":', 's1 x 1 2/3 d"}', 's1 x 2 0/2 {"kind":"rev', 's1 x 2 1/2 oked"}'])
      await admin`select pg_notify(${channelName}, ${payload})`;
    await until('the whole one is heard', () => a.envelopes.length > 0);
    expect(a.envelopes).toEqual([{ from: 'x', signal: { kind: 'revoked' } }]);
    expect(a.bus.counts.incomplete).toBe(1);
    expect(a.bus.counts.malformed).toBe(0);
  });

  it('refuses names that it could not use', () => {
    expect(() => createPostgresBus({ database: URL, node: 'a b' })).toThrow(RangeError);
    expect(() => createPostgresBus({ database: URL, node: 'a', channelName: 'x"; drop' })).toThrow(RangeError);
    expect(() => createPostgresBus({ database: URL, node: 'a', channelName: 'x'.repeat(64) })).toThrow(RangeError);
  });
});
