/** Several tabs over one store: one drains, all know. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Mutation } from '../../../src/client/mutation.ts';
import { KEPT } from '../../../src/client/outbox/ledger.ts';
import { ModelServer } from './model-server.ts';
import { publish } from './mutations.ts';
import { Browser, type Tab, watch } from './tabs.ts';

let browser: Browser;
let server: ModelServer;
let tabs: Tab[];

const random = () => 0.5;
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const open = (options: Parameters<Browser['open']>[2] = {}): Tab => {
  const tab = browser.open(server, random, options);
  tabs.push(tab);
  return tab;
};
const told = ({ changes }: Tab) => changes.map(({ gone, state }: Mutation) => gone ?? state);
const data = () => server.applied.flatMap(({ body }) => (body as { data: unknown }[]).map(({ data }) => data));

beforeEach(() => {
  vi.useFakeTimers();
  browser = new Browser();
  server = new ModelServer();
  tabs = [];
});

afterEach(async () => {
  for (const { outbox } of tabs) outbox.close();
  await pass();
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

describe('tabs', () => {
  it('leave the draining to one of them, and confirm what each has enqueued', async () => {
    const [first, second] = [open(), open()];
    await pass();
    server.delay = () => 10;
    const seen = watch(second.outbox.enqueue(publish()).confirmed);
    await pass(10);
    expect(seen.value).toBeDefined();
    expect(server.asked).toHaveLength(1);
    expect(first.outbox.pending()).toEqual([]);
  });

  it('all observe what happens, in order', async () => {
    const all = [open(), open(), open()];
    await pass();
    server.delay = () => 10;
    for (const tab of all) tab.outbox.enqueue(publish());
    await pass(1000);
    for (const tab of all) {
      const states = ['pending', 'in-flight', 'settled'];
      const ids = new Set(tab.changes.map(({ id }) => id));
      expect(ids.size).toBe(3);
      for (const id of ids) {
        const own = tab.changes.filter((mutation) => mutation.id === id);
        const places = own.map(({ gone, state }) => states.indexOf(gone ?? state));
        expect(places).toEqual(places.toSorted((a, b) => a - b));
        expect(places.at(-1)).toBe(2);
      }
    }
  });

  it('take over when the one that drains is closed, or crashes in the middle of a request', async () => {
    const [first, second, third] = [open(), open(), open()];
    server.delay = () => 1000;
    const seen = watch(third.outbox.enqueue(publish()).confirmed);
    await pass(700);
    expect(data()).toEqual([1]);
    first.crash();
    await pass(700);
    second.outbox.close();
    await pass(2000);
    expect(seen.value).toBeDefined();
    expect(server.asked).toHaveLength(3);
    expect(data()).toEqual([1]);
  });

  it('take over when the one that drains is suspended, which comes back into the queue', async () => {
    const [first, second] = [open(), open()];
    await pass();
    first.outbox.suspend();
    second.outbox.enqueue(publish('a', 1));
    await pass();
    expect(data()).toEqual([1]);
    first.outbox.resume();
    second.outbox.suspend();
    second.outbox.enqueue(publish('a', 2));
    await pass();
    expect(data()).toEqual([1, 2]);
  });

  it('do not drain while they are suspended, from the beginning', async () => {
    const only = open();
    only.outbox.suspend();
    only.outbox.enqueue(publish());
    await pass(60_000);
    expect(data()).toEqual([]);
    only.outbox.resume();
    await pass();
    expect(data()).toEqual([1]);
  });

  it('hear of everything in the end, also when no message arrives', async () => {
    const [, second] = [open(), open()];
    await pass();
    browser.talks = false;
    const seen = watch(second.outbox.enqueue(publish()).confirmed);
    await pass(100);
    expect(seen.done).toBe(false);
    browser.talks = true;
    await pass(5000);
    expect(seen.value).toBeDefined();
    expect(told(second).at(-1)).toBe('settled');
  });

  it('look for themselves whether it was confirmed, when only what they hear is lost', async () => {
    const [first, second] = [open(), open()];
    await pass();
    browser.talks = false;
    const seen = watch(second.outbox.enqueue(publish()).confirmed);
    await pass(100);
    first.outbox.wake();
    await pass(100);
    expect(data()).toEqual([1]);
    await pass(5000);
    expect(seen.value).toBeDefined();
  });

  it('show what any of them is shown: a write is settled though the tab that drains sees no stream', async () => {
    const [first, second] = [open({ watches: () => true }), open({ watches: () => true })];
    await pass();
    const { id } = first.outbox.enqueue(publish());
    await pass();
    expect(first.outbox.pending()).toHaveLength(1);
    second.outbox.settle(id);
    await pass();
    expect(first.outbox.pending()).toEqual([]);
  });

  it('decide about dead letters together: the first one counts', async () => {
    server.fate = () => 'forbidden';
    const [first, second] = [open(), open()];
    const { id } = first.outbox.enqueue(publish());
    await pass();
    server.fate = () => 'answer';
    const outcomes = [watch(first.outbox.retry(id).confirmed), watch(second.outbox.edit(id, publish('a', 2)).queued)];
    await pass();
    expect(outcomes.map(({ error }) => error?.code)).toEqual([undefined, 'missing']);
    expect(data()).toEqual([1]);
  });

  it('each drain where there are no locks, and still write once', async () => {
    const all = [open({ locks: false }), open({ locks: false }), open({ locks: false })];
    server.delay = () => 100;
    for (const tab of all) for (const n of [1, 2, 3]) tab.outbox.enqueue(publish('a', n));
    await pass(30_000);
    expect(data()).toHaveLength(9);
    for (const { outbox } of all) expect(outbox.pending()).toEqual([]);
  });

  it('that slept through more than the store remembers are told what there is, and that they cannot know the rest', async () => {
    const [first, second] = [open(), open()];
    await pass();
    server.fate = () => 'lost';
    const seen = watch(second.outbox.enqueue(publish()).confirmed);
    await pass();
    browser.talks = false;
    server.fate = () => 'answer';
    await pass(1000);
    for (let n = 0; n < 2 * KEPT; n += 1) first.outbox.enqueue(publish());
    await pass(3900);
    expect(seen.done).toBe(false);
    await pass(1000);
    expect(seen.error.code).toBe('uncertain');
    expect(second.outbox.pending()).toEqual([]);
    expect(told(second).at(-1)).toBe('settled');
  });
});
