/** The outbox of one tab, over a store in memory and a model of the server. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mutationKey } from '../../../src/client/mutation.ts';
import { SETTLE_MS } from '../../../src/client/outbox/drain.ts';
import { outboxName } from '../../../src/client/outbox/outbox.ts';
import { OutboxError } from '../../../src/client/outbox/outbox-error.ts';
import { ModelServer } from './model-server.ts';
import { patch, publish, remove, replace } from './mutations.ts';
import { Browser, type Tab, watch } from './tabs.ts';

const NOTE = '/v1/collections/notes/1';

let browser: Browser;
let server: ModelServer;
let tab: Tab;

/** Half of the longest wait, each time. */
const random = () => 0.5;
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const open = (options: Parameters<Browser['open']>[2] = {}): Tab => {
  tab = browser.open(server, random, options);
  return tab;
};
const data = () => server.applied.map(({ body }) => (body as { data: unknown }).data);

beforeEach(() => {
  vi.useFakeTimers();
  browser = new Browser();
  server = new ModelServer();
  server.records.set(NOTE, { version: 3, text: 'old', title: 'old' });
});

afterEach(async () => {
  tab?.outbox.close();
  await pass();
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

describe('a write', () => {
  it('is queued, sent and confirmed with the answer of the server', async () => {
    open();
    const { queued, confirmed } = tab.outbox.enqueue(patch({ text: 'new' }, 3));
    await queued;
    await pass();
    expect(await confirmed).toEqual({ version: 4, body: { text: 'new', title: 'old', version: 4 }, merged: false });
    expect(server.records.get(NOTE)).toMatchObject({ text: 'new' });
    expect(tab.outbox.pending()).toEqual([]);
  });

  it('is what it was when it was enqueued, whatever the application does to it afterwards', async () => {
    open();
    const record = { text: 'new' };
    tab.outbox.enqueue(patch(record));
    record.text = 'changed';
    await pass();
    expect(server.records.get(NOTE)).toMatchObject({ text: 'new' });
  });

  it('that nothing can be made of is refused at once', () => {
    open();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(() => tab.outbox.enqueue(publish('a', circle))).toThrow(TypeError);
    expect(() => tab.outbox.enqueue(publish('\udfff'))).toThrow(URIError);
  });

  it('may be given before anything is open, and nobody has to wait for it', async () => {
    let give: (store: ReturnType<Browser['store']>) => void = () => {};
    open({
      store: new Promise((resolve) => {
        give = resolve;
      }),
    });
    tab.outbox.enqueue(publish());
    await pass(1000);
    give(browser.store(() => true));
    await pass();
    expect(data()).toEqual([1]);
  });

  it('goes through its states, which every observer is told in order', async () => {
    open({ watches: () => true });
    const { id } = tab.outbox.enqueue(publish());
    await pass();
    tab.outbox.settle(id);
    await pass();
    expect(tab.changes.map((change) => (change.kind === 'gone' ? change.why : change.mutation.state))).toEqual([
      'pending',
      'in-flight',
      'acknowledged',
      'settled',
    ]);
  });
});

describe('the limit', () => {
  it('refuses what is over it, and tells both promises', async () => {
    server.fate = () => 'lost';
    open({ limit: 2 });
    tab.outbox.enqueue(publish('a'));
    tab.outbox.enqueue(publish('b'));
    const { queued, confirmed } = tab.outbox.enqueue(publish('c'));
    const seen = [watch(queued), watch(confirmed)];
    await pass();
    for (const { error } of seen) expect(error).toMatchObject({ name: 'OutboxError', code: 'full' });
    expect(tab.outbox.pending()).toHaveLength(2);
  });
});

describe('order', () => {
  it('holds in a lane, while four lanes send at once', async () => {
    server.delay = () => 100;
    open();
    for (const topic of ['a', 'b', 'c', 'd', 'e'])
      for (const n of [1, 2]) tab.outbox.enqueue(publish(topic, topic + n));
    await pass();
    expect(server.asked).toHaveLength(4);
    await pass(100);
    expect(data()).toEqual(['a1', 'b1', 'c1', 'd1']);
    await pass(1000);
    expect(data()).toHaveLength(10);
    for (const topic of ['a', 'b', 'c', 'd', 'e'])
      expect(data().filter((each) => String(each).startsWith(topic))).toEqual([`${topic}1`, `${topic}2`]);
  });

  it('a second edit of a record follows the first, and does not conflict with it', async () => {
    server.delay = () => 100;
    open();
    for (const text of ['a', 'b', 'c']) tab.outbox.enqueue(patch({ text }, 3));
    tab.outbox.enqueue(replace({ text: 'd' }, 3));
    tab.outbox.enqueue(remove(3));
    await pass(1000);
    expect(tab.outbox.deadLetters()).toEqual([]);
    expect(server.applied).toHaveLength(5);
    expect(server.records.has(NOTE)).toBe(false);
  });

  it('a second edit follows the first also when it comes before the stream has shown that', async () => {
    open({ watches: () => true });
    tab.outbox.enqueue(patch({ text: 'a' }, 3));
    await pass();
    tab.outbox.enqueue(patch({ text: 'b' }, 3));
    await pass();
    expect(tab.outbox.deadLetters()).toEqual([]);
    expect(server.records.get(NOTE)).toMatchObject({ text: 'b', version: 5 });
  });
});

describe('settling', () => {
  it('waits for the stream where there is one, though the write is confirmed before', async () => {
    open({ watches: (topic) => topic === 'a' });
    const a = tab.outbox.enqueue(publish('a'));
    tab.outbox.enqueue(publish('b'));
    await pass();
    await a.confirmed;
    expect(tab.outbox.pending()).toMatchObject([{ id: a.id, state: 'acknowledged' }]);
    tab.outbox.settle('another');
    tab.outbox.settle(a.id);
    await pass();
    expect(tab.outbox.pending()).toEqual([]);
  });

  it('happens with the answer where the event came before it', async () => {
    server.onApplied = (key) => tab.outbox.settle(key);
    server.delay = () => 100;
    open({ watches: () => true });
    tab.outbox.enqueue(publish());
    await pass(100);
    expect(tab.outbox.pending()).toEqual([]);
    expect(tab.changes.map(({ kind, mutation }) => [kind, mutation.state])).toEqual([
      ['changed', 'pending'],
      ['changed', 'in-flight'],
      ['gone', 'acknowledged'],
    ]);
  });

  it('is not waited for longer than a minute', async () => {
    open({ watches: () => true });
    tab.outbox.enqueue(publish());
    await pass(SETTLE_MS - 1);
    expect(tab.outbox.pending()).toHaveLength(1);
    await pass(1);
    expect(tab.outbox.pending()).toEqual([]);
  });

  it('remembers the last thousand keys of others, and forgets the oldest', async () => {
    open({ watches: () => true });
    tab.outbox.settle('tab');
    for (let other = 0; other < 5000; other += 1) tab.outbox.settle(`other-${other}`);
    tab.outbox.enqueue(publish());
    await pass();
    expect(tab.outbox.pending()).toHaveLength(1);
  });
});

describe('trouble', () => {
  it.each([
    'lost',
    'lost-answer',
    'portal',
    'redirect',
    'unavailable',
    'internal',
    'rate-limited',
    'request-timeout',
  ] as const)('is met by trying again, under the same key, until it is over: %s', async (fate) => {
    server.fate = () => fate;
    open();
    const { id, confirmed } = tab.outbox.enqueue(publish());
    const seen = watch(confirmed);
    await pass(20_000);
    expect(seen.done).toBe(false);
    expect(tab.outbox.pending()).toMatchObject([{ id, state: 'pending' }]);
    server.fate = () => 'answer';
    await pass(30_000);
    expect(seen.value).toBeDefined();
    expect(new Set(server.asked.map(({ key }) => key))).toEqual(new Set([id]));
    expect(data()).toEqual([1]);
  });

  it('waits longer and longer, and not at all when it hears that all is well', async () => {
    server.fate = () => 'lost';
    open();
    tab.outbox.enqueue(publish());
    const times: number[] = [];
    const begun = Date.now();
    server.fate = () => {
      times.push(Date.now() - begun);
      return 'lost';
    };
    await pass(8000);
    expect(times).toEqual([0, 500, 1500, 3500, 7500]);
    tab.outbox.wake();
    await pass();
    expect(times.at(-1)).toBe(8000);
  });

  it('waits as long as the server asks, also when it is woken', async () => {
    server.fate = () => 'rate-limited';
    server.retryAfter = 20_000;
    open();
    tab.outbox.enqueue(publish());
    await pass();
    tab.outbox.wake();
    await pass(19_999);
    expect(server.asked).toHaveLength(1);
    server.fate = () => 'answer';
    await pass(1);
    expect(data()).toEqual([1]);
  });

  it('of the server stops all lanes, so that they do not all try', async () => {
    server.fate = () => 'unavailable';
    open();
    for (let n = 0; n < 50; n += 1) tab.outbox.enqueue(publish(`t${n}`));
    await pass(400);
    expect(server.asked).toHaveLength(4);
  });

  it('of one write alone stops its lane alone', async () => {
    server.fate = ({ path }) => (path.includes('broken') ? 'internal' : 'answer');
    open();
    tab.outbox.enqueue(publish('broken'));
    for (const n of [1, 2, 3]) tab.outbox.enqueue(publish('a', n));
    await pass();
    expect(data()).toEqual([1, 2, 3]);
  });

  it('of one write that something before the server refuses lets the others pass', async () => {
    server.fate = ({ path }) => (path.includes('broken') ? 'portal' : 'answer');
    open();
    tab.outbox.enqueue(publish('broken'));
    for (let n = 0; n < 20; n += 1) tab.outbox.enqueue(publish(`t${n}`, n));
    await pass(30_000);
    expect(data()).toHaveLength(20);
  });

  it('with the token pauses, and goes on with another one', async () => {
    server.fate = () => 'token-expired';
    open();
    tab.outbox.enqueue(publish());
    await pass(5000);
    expect(tab.outbox.pending()).toMatchObject([{ state: 'pending', sent: undefined }]);
    server.fate = () => 'answer';
    tab.outbox.wake();
    await pass();
    expect(data()).toEqual([1]);
  });

  it('of the store is told to who enqueues, and takes nothing', async () => {
    open();
    await pass();
    browser.faults.push(new OutboxError('quota'));
    const { queued, confirmed } = tab.outbox.enqueue(publish());
    const seen = [watch(queued), watch(confirmed)];
    await pass();
    for (const { error } of seen) expect(error.code).toBe('quota');
    tab.outbox.enqueue(publish('a', 2));
    await pass();
    expect(data()).toEqual([2]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'of the store while it drains is told, and overcome: the next %d steps',
    async (steps) => {
      open();
      server.delay = () => 100;
      const { confirmed } = tab.outbox.enqueue(publish());
      const seen = watch(confirmed);
      await pass(50);
      for (let n = 0; n < steps; n += 1) browser.faults.push(new OutboxError('storage'));
      await pass(120_000);
      expect(tab.errors.map((error) => (error as OutboxError).code)).toEqual(Array(steps).fill('storage'));
      expect(seen.value).toBeDefined();
      expect(data()).toEqual([1]);
    },
  );

  it('of an observer is told, and stops nobody', async () => {
    open();
    tab.outbox.observe(() => {
      throw new Error('broken');
    });
    tab.outbox.enqueue(publish());
    await pass();
    expect(data()).toEqual([1]);
    expect(tab.errors).not.toEqual([]);
  });
});

describe('a dead letter', () => {
  const bury = async () => {
    server.fate = () => 'forbidden';
    open();
    const { id, confirmed } = tab.outbox.enqueue(publish('a', 1));
    const seen = watch(confirmed);
    await pass();
    server.fate = () => 'answer';
    return { id, seen };
  };

  it('says what the server said, and lets pass what is behind it', async () => {
    const { id, seen } = await bury();
    expect(seen.error).toMatchObject({ code: 'refused', problem: { code: 'forbidden' } });
    tab.outbox.enqueue(publish('a', 2));
    await pass();
    expect(data()).toEqual([2]);
    expect(tab.outbox.deadLetters()).toMatchObject([
      { id, refusal: { kind: 'refused', problem: { code: 'forbidden' } } },
    ]);
    expect(tab.outbox.pending()).toEqual([]);
  });

  it('is sent again on demand, and confirmed by another promise', async () => {
    const { id } = await bury();
    const { queued, confirmed } = tab.outbox.retry(id);
    const seen = watch(confirmed);
    await queued;
    await pass();
    expect(seen.value).toBeDefined();
    expect(data()).toEqual([1]);
    expect(tab.outbox.deadLetters()).toEqual([]);
  });

  it('is edited, under another key', async () => {
    const { id } = await bury();
    tab.outbox.edit(id, publish('b', 7));
    await pass();
    expect(server.applied).toMatchObject([{ key: `${id}.1`, path: '/v1/topics/b/events', body: { data: 7 } }]);
  });

  it('is discarded, once', async () => {
    const { id } = await bury();
    const done = [tab.outbox.discard(id), tab.outbox.discard(id)];
    await pass();
    expect(await Promise.all(done)).toEqual([true, false]);
    expect(browser.memory.mutations.size).toBe(0);
    const seen = watch(tab.outbox.retry(id).queued);
    await pass();
    expect(seen.error.code).toBe('missing');
  });

  it('is there again after a reload', async () => {
    const { id } = await bury();
    tab.outbox.close();
    open();
    await pass();
    expect(tab.outbox.deadLetters()).toMatchObject([{ id }]);
    expect(tab.changes).toMatchObject([{ kind: 'changed', mutation: { id, state: 'dead' } }]);
  });

  it('that was applied after all is settled when the stream shows it', async () => {
    server.fate = ({ key }) =>
      server.asked.filter((each) => each.key === key).length === 1 ? 'lost-answer' : 'not-found';
    open({ watches: () => true });
    const { id, confirmed } = tab.outbox.enqueue(publish());
    const seen = watch(confirmed);
    await pass(1000);
    expect(seen.error).toMatchObject({ code: 'uncertain', problem: { code: 'not-found' } });
    tab.outbox.settle(id);
    await pass();
    expect(tab.outbox.deadLetters()).toEqual([]);
  });
});

describe('discarding', () => {
  it('takes back what was never sent, and tells who waits', async () => {
    server.delay = () => 1000;
    open();
    tab.outbox.enqueue(publish('a', 1));
    const { id, confirmed } = tab.outbox.enqueue(publish('a', 2));
    const seen = watch(confirmed);
    await pass();
    expect(await tab.outbox.discard(id)).toBe(true);
    await pass(2000);
    expect(seen.error.code).toBe('discarded');
    expect(data()).toEqual([1]);
  });

  it('does not take back what is under way', async () => {
    server.delay = () => 1000;
    open();
    const { id } = tab.outbox.enqueue(publish());
    await pass();
    expect(await tab.outbox.discard(id)).toBe(false);
    await pass(1000);
    expect(data()).toEqual([1]);
  });
});

describe('a conflict', () => {
  beforeEach(() => {
    server.records.set(NOTE, { version: 9, text: 'theirs' });
  });

  it('is a dead letter where nobody resolves it', async () => {
    open();
    const { confirmed } = tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    const seen = watch(confirmed);
    await pass();
    expect(seen.error).toMatchObject({ code: 'refused', problem: { code: 'conflict' } });
  });

  it('shows the resolver both sides, and sends what it decides on top of theirs, under another key', async () => {
    const resolve = vi.fn(async () => ({ text: 'both' }));
    open({ resolve });
    const { id, confirmed } = tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    await pass();
    expect(resolve.mock.calls).toMatchObject([
      [{ mutation: { id }, current: { version: 9, text: 'theirs' }, yours: { text: 'mine' }, fields: ['text'] }],
    ]);
    expect((await confirmed).version).toBe(10);
    expect(server.applied).toMatchObject([{ key: `${id}.1`, body: { text: 'both' } }]);
  });

  it('is decided for mine', async () => {
    open({ resolve: () => 'mine' });
    tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    await pass();
    expect(server.records.get(NOTE)).toMatchObject({ text: 'mine', version: 10 });
  });

  it('is decided for theirs: the write is gone', async () => {
    open({ resolve: () => 'theirs' });
    const seen = watch(tab.outbox.enqueue(patch({ text: 'mine' }, 3)).confirmed);
    await pass();
    expect(seen.error.code).toBe('discarded');
    expect(server.applied).toEqual([]);
    expect(browser.memory.mutations.size).toBe(0);
  });

  it.each([
    ['no decision', () => undefined],
    [
      'a fault',
      () => {
        throw new Error('broken');
      },
    ],
  ])('is a dead letter after %s of the resolver', async (what, resolve) => {
    open({ resolve });
    tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    await pass();
    expect(tab.outbox.deadLetters()).toMatchObject([{ refusal: { problem: { code: 'conflict' } } }]);
    expect(tab.errors).toHaveLength(what === 'a fault' ? 1 : 0);
  });

  it('holds up its own lane alone while somebody thinks', async () => {
    let decide: (resolution: 'mine') => void = () => {};
    open({
      resolve: () =>
        new Promise((resolve) => {
          decide = resolve;
        }),
    });
    tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    tab.outbox.enqueue(patch({ title: 'mine' }));
    for (let n = 0; n < 10; n += 1) tab.outbox.enqueue(publish(`t${n}`));
    await pass(60_000);
    expect(server.applied).toHaveLength(10);
    decide('mine');
    await pass();
    expect(server.records.get(NOTE)).toMatchObject({ text: 'mine', title: 'mine' });
  });

  it.each([
    ['a replacement', replace({ text: 'mine' }, 3), { text: 'mine' }],
    ['a delete', remove(3), {}],
  ])('of a precondition is shown with the record as it is: %s', async (_, write, yours) => {
    const resolve = vi.fn(() => 'mine' as const);
    open({ resolve });
    tab.outbox.enqueue(write);
    await pass();
    expect(resolve.mock.calls).toMatchObject([
      [{ base: undefined, current: { version: 9, text: 'theirs' }, yours, fields: [] }],
    ]);
    expect(server.applied).toMatchObject([{ method: write.kind === 'delete' ? 'DELETE' : 'PUT' }]);
  });

  it('of a precondition with a record that is gone has no other side', async () => {
    server.records.delete(NOTE);
    const resolve = vi.fn(() => ({ text: 'again' }));
    open({ resolve });
    tab.outbox.enqueue(replace({ text: 'mine' }, 3));
    await pass();
    expect(resolve.mock.calls).toMatchObject([[{ current: undefined }]]);
    expect(server.records.get(NOTE)).toMatchObject({ text: 'again' });
  });

  it('whose other side cannot be read now is found out later', async () => {
    let away = true;
    server.fate = ({ method }) => (method === 'GET' && away ? 'lost' : 'answer');
    open({ resolve: () => 'mine' });
    tab.outbox.enqueue(replace({ text: 'mine' }, 3));
    await pass(10_000);
    expect(server.applied).toEqual([]);
    away = false;
    await pass(30_000);
    expect(server.records.get(NOTE)).toMatchObject({ text: 'mine' });
  });
});

describe('closing', () => {
  it('stops at once, and tells who waits; what is stored goes on when it is opened again', async () => {
    server.delay = () => 1000;
    open();
    const { id, confirmed } = tab.outbox.enqueue(publish());
    const seen = watch(confirmed);
    await pass(100);
    tab.outbox.close();
    await pass(5000);
    expect(seen.error.code).toBe('closed');
    expect(watch(tab.outbox.enqueue(publish()).queued)).toBeDefined();
    await pass();
    expect(browser.memory.mutations.size).toBe(1);
    open();
    await pass(5000);
    expect(server.applied).toMatchObject([{ key: id }]);
    expect(tab.errors).toEqual([]);
  });

  it('takes nothing more', async () => {
    open();
    tab.outbox.close();
    const { id, queued } = tab.outbox.enqueue(publish());
    const seen = [watch(queued), watch(tab.outbox.retry(id).queued), watch(tab.outbox.discard(id))];
    await pass();
    expect(seen.map(({ error, value }) => error?.code ?? value)).toEqual(['closed', 'closed', false]);
  });
});

describe('the name of an outbox', () => {
  it('is of one user of one server', () => {
    const names = [
      outboxName('https://a', 'ada'),
      outboxName('https://a', 'bob'),
      outboxName('https://b', 'ada'),
      outboxName('https://a', undefined),
      outboxName('https://a","ada', undefined),
    ];
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the key of a mutation', () => {
  it('is told by the settled event of a resolved conflict', () => {
    expect(mutationKey({ id: 'a', revision: 1 })).toBe('a.1');
  });
});
