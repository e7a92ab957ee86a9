/** What becomes of the readers of a view at its bounds, and where Postgres does not answer. */
import { expect, it, onTestFinished } from 'vitest';
import { LocalBroker } from '../../src/broker/local-broker.ts';
import { createLocalBus } from '../../src/bus/local.ts';
import type { EventBatch } from '../../src/protocol/event-batch.ts';
import { RowView } from '../../src/records/row-view.ts';
import { DEPENDENCY_TYPE } from '../../src/records/seen-change.ts';
import { ViewReader } from '../../src/records/view-reader.ts';
import type { SeenRow, ViewSource } from '../../src/records/view-source.ts';
import { ViewTooLarge } from '../../src/records/view-too-large.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { until } from '../support/until.ts';

const TOPIC = 'things';

/** A view over rows that a test decides on, and a reader of it. */
async function open() {
  const store = createMemoryStore({});
  const broker = new LocalBroker({ log: store.log, bus: createLocalBus(), tailCheckMs: 5 });
  const faults: unknown[] = [];
  const world: { rows: Map<string, number>; fails?: Error | undefined; refuses?: Error | undefined } = {
    rows: new Map(),
  };
  const seen = (key: string): SeenRow => {
    const version = world.rows.get(key) ?? 0;
    return { key, version, record: JSON.stringify({ key, version }), token: `${version} x` };
  };
  const end = async () => {
    const [range] = await store.log.ranges([TOPIC]);
    return { epoch: range?.epoch ?? '', seq: range?.latest ?? 0 };
  };
  const source: ViewSource = {
    topic: TOPIC,
    async readAll() {
      if (world.fails !== undefined) throw world.fails;
      if (world.refuses !== undefined) return { ...(await end()), rows: new Map(), unreadable: world.refuses };
      return { ...(await end()), rows: new Map([...world.rows.keys()].map((key) => [key, seen(key).token])) };
    },
    async read(keys) {
      const { seq } = await end();
      if (world.refuses !== undefined) return { rows: new Map(), latest: seq, exact: true, unreadable: world.refuses };
      const there = keys.filter((key) => world.rows.has(key));
      return { rows: new Map(there.map((key) => [key, seen(key)])), latest: seq, exact: true };
    },
    events: async () => ({ kind: 'events', events: [] }),
    latest: async () => (await end()).seq,
  };
  const view = new RowView({
    view: 'v',
    source,
    broker,
    now: () => 1e9,
    onFault: (e) => faults.push(e),
    onEnd: () => {},
  });
  await view.load();
  const told: string[] = [];
  const reader = new ViewReader(view, undefined);
  reader.start({
    ready: true,
    deliver: (batch: EventBatch) => told.push(...batch.events.map(({ type, key }) => `${type} ${key}`)),
    gap: ({ reason }) => told.push(`gap ${reason}`),
    caughtUp: () => told.push('ready'),
    cutOff: () => told.push('cut off'),
  });
  await until('it is ready', () => told.includes('ready'));
  told.length = 0;
  // Its coming is long ago, so that no doubt is left of what it was told.
  Object.defineProperty(reader, 'joinedAt', { value: 0 });
  onTestFinished(async () => {
    reader.close();
    view.close();
    await broker.close();
  });
  const change = (key: string) =>
    broker.publish(TOPIC, [{ type: 'update', key, data: { new: {}, old: {}, version: 1 } }]);
  const dependency = () => broker.publish(TOPIC, [{ type: DEPENDENCY_TYPE, data: { table: 'teams' } }]);
  return { world, told, faults, view, change, dependency };
}

it('cuts its readers off when it outgrows its bound, and is closed', async () => {
  const { world, told, view, dependency } = await open();
  world.fails = new ViewTooLarge('too many');
  await dependency();
  await until('it is cut off', () => told.includes('cut off'));
  expect(view.closed).toBe(true);
});

it('tells of a gap where more has come into sight than is told row by row, and goes on', async () => {
  const { world, told, view, change, dependency } = await open();
  for (let n = 0; n < 5001; n += 1) world.rows.set(`k${n}`, 1);
  await dependency();
  await until('the gap is told', () => told.length > 0);
  expect(told).toEqual(['gap lagged']);
  expect(view.held.size).toBe(5001);
  world.rows.set('k1', 2);
  await change('k1');
  await until('it goes on', () => told.length === 2);
  expect(told[1]).toBe('update k1');
});

it('shows nothing while Postgres refuses to answer, says so once, and tells what is there again', async () => {
  const { world, told, faults, change } = await open();
  world.rows.set('a', 1).set('b', 1);
  await change('a');
  await change('b');
  await until('both are told', () => told.length === 2);
  world.refuses = new Error('no right');
  await change('a');
  await change('b');
  await until('both are gone', () => told.length === 4);
  expect(told.slice(2).sort()).toEqual(['delete a', 'delete b']);
  expect(faults.map((fault) => (fault as Error).cause)).toEqual([world.refuses]);
  world.refuses = undefined;
  world.rows.delete('b');
  await until('it has asked again', () => told.length === 5, 5000);
  expect(told[4]).toBe('insert a');
  expect(faults).toHaveLength(1);
});
