/** The outbox of one tab, over a store in memory and a model of the server. */
import { describe, expect, it } from 'vitest';
import { SETTLE_MS } from '../../../src/client/outbox/ledger.ts';
import { outboxName } from '../../../src/client/outbox/outbox.ts';
import type { OutboxStore } from '../../../src/client/outbox/store.ts';
import { patch, publish, remove, replace } from './mutations.ts';
import { NOTE, pass, setScene } from './scene.ts';
import { watch } from './tabs.ts';

const scene = setScene();

describe('a write', () => {
  it('is queued, sent and confirmed with the answer of the server', async () => {
    scene.open();
    const { queued, confirmed } = scene.tab.outbox.enqueue(patch({ text: 'new' }, 3));
    await queued;
    await pass();
    expect(await confirmed).toEqual({ version: 4, body: { text: 'new', title: 'old', version: 4 }, merged: false });
    expect(scene.server.records.get(NOTE)).toMatchObject({ text: 'new' });
    expect(scene.tab.outbox.pending()).toEqual([]);
  });

  it('is what it was when it was enqueued, whatever the application does to it afterwards', async () => {
    scene.open();
    const record = { text: 'new' };
    scene.tab.outbox.enqueue(patch(record));
    record.text = 'changed';
    await pass();
    expect(scene.server.records.get(NOTE)).toMatchObject({ text: 'new' });
  });

  it('that nothing can be made of is refused at once', () => {
    scene.open();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(() => scene.tab.outbox.enqueue(publish('a', circle))).toThrow(TypeError);
    expect(() => scene.tab.outbox.enqueue(publish('\udfff'))).toThrow(URIError);
  });

  it('may be given before anything is open, and nobody has to wait for it', async () => {
    let give: (store: OutboxStore) => void = () => {};
    scene.open({
      store: new Promise((resolve) => {
        give = resolve;
      }),
    });
    scene.tab.outbox.enqueue(publish());
    await pass(1000);
    give(scene.browser.store(() => true));
    await pass();
    expect(scene.data()).toEqual([1]);
  });

  it('goes through its states, which every observer is told in order', async () => {
    scene.open({ watches: () => true });
    const { id } = scene.tab.outbox.enqueue(publish());
    await pass();
    scene.tab.outbox.settle(id);
    await pass();
    expect(scene.tab.changes.map(({ gone, state }) => gone ?? state)).toEqual([
      // At once, and when it is stored.
      'pending',
      'pending',
      'in-flight',
      'acknowledged',
      'settled',
    ]);
  });
});

describe('the limit', () => {
  it('refuses what is over it, and tells both promises', async () => {
    scene.server.fate = () => 'lost';
    scene.open({ limit: 2 });
    scene.tab.outbox.enqueue(publish('a'));
    scene.tab.outbox.enqueue(publish('b'));
    const { queued, confirmed } = scene.tab.outbox.enqueue(publish('c'));
    const seen = [watch(queued), watch(confirmed)];
    await pass();
    for (const { error } of seen) expect(error).toMatchObject({ name: 'OutboxError', code: 'full' });
    expect(scene.tab.outbox.pending()).toHaveLength(2);
  });
});

describe('order', () => {
  it('holds in a lane, while four lanes send at once', async () => {
    scene.server.delay = () => 100;
    scene.open();
    for (const topic of ['a', 'b', 'c', 'd', 'e'])
      for (const n of [1, 2]) scene.tab.outbox.enqueue(publish(topic, topic + n));
    await pass();
    expect(scene.server.asked).toHaveLength(4);
    await pass(100);
    expect(scene.data()).toEqual(['a1', 'b1', 'c1', 'd1']);
    await pass(1000);
    expect(scene.data()).toHaveLength(10);
    for (const topic of ['a', 'b', 'c', 'd', 'e'])
      expect(scene.data().filter((each) => String(each).startsWith(topic))).toEqual([`${topic}1`, `${topic}2`]);
  });

  it('a second edit of a record follows the first, and does not conflict with it', async () => {
    scene.server.delay = () => 100;
    scene.open();
    for (const text of ['a', 'b', 'c']) scene.tab.outbox.enqueue(patch({ text }, 3));
    scene.tab.outbox.enqueue(replace({ text: 'd' }, 3));
    scene.tab.outbox.enqueue(remove(3));
    await pass(1000);
    expect(scene.tab.outbox.deadLetters()).toEqual([]);
    expect(scene.server.applied).toHaveLength(5);
    expect(scene.server.records.has(NOTE)).toBe(false);
  });

  it('a second edit follows the first also when it comes before the stream has shown that', async () => {
    scene.open({ watches: () => true });
    scene.tab.outbox.enqueue(patch({ text: 'a' }, 3));
    await pass();
    scene.tab.outbox.enqueue(patch({ text: 'b' }, 3));
    await pass();
    expect(scene.tab.outbox.deadLetters()).toEqual([]);
    expect(scene.server.records.get(NOTE)).toMatchObject({ text: 'b', version: 5 });
  });
});

describe('settling', () => {
  it('waits for the stream where there is one, though the write is confirmed before', async () => {
    scene.open({ watches: (topic) => topic === 'a' });
    const a = scene.tab.outbox.enqueue(publish('a'));
    scene.tab.outbox.enqueue(publish('b'));
    await pass();
    await a.confirmed;
    expect(scene.tab.outbox.pending()).toMatchObject([{ id: a.id, state: 'acknowledged' }]);
    scene.tab.outbox.settle('another');
    scene.tab.outbox.settle(a.id);
    await pass();
    expect(scene.tab.outbox.pending()).toEqual([]);
  });

  it('happens with the answer where the event came before it', async () => {
    scene.server.onApplied = (key) => scene.tab.outbox.settle(key);
    scene.server.delay = () => 100;
    scene.open({ watches: () => true });
    scene.tab.outbox.enqueue(publish());
    await pass(100);
    expect(scene.tab.outbox.pending()).toEqual([]);
    expect(scene.tab.changes.map(({ gone, state }) => gone ?? state)).toEqual([
      'pending',
      'pending',
      'in-flight',
      'settled',
    ]);
  });

  it('is not waited for longer than a minute', async () => {
    scene.open({ watches: () => true });
    scene.tab.outbox.enqueue(publish());
    await pass(SETTLE_MS - 1);
    expect(scene.tab.outbox.pending()).toHaveLength(1);
    // Changes of one millisecond are counted apart.
    await pass(10);
    expect(scene.tab.outbox.pending()).toEqual([]);
  });

  it('remembers the last thousand keys of others, and forgets the oldest', async () => {
    scene.open({ watches: () => true });
    scene.tab.outbox.settle('tab');
    for (let other = 0; other < 5000; other += 1) scene.tab.outbox.settle(`other-${other}`);
    scene.tab.outbox.enqueue(publish());
    await pass();
    expect(scene.tab.outbox.pending()).toHaveLength(1);
  });
});

describe('closing', () => {
  it('stops at once, and tells who waits; what is stored goes on when it is opened again', async () => {
    scene.server.delay = () => 1000;
    scene.open();
    const { id, confirmed } = scene.tab.outbox.enqueue(publish());
    const seen = watch(confirmed);
    await pass(100);
    scene.tab.outbox.close();
    await pass(5000);
    expect(seen.error.code).toBe('closed');
    expect(watch(scene.tab.outbox.enqueue(publish()).queued)).toBeDefined();
    await pass();
    expect(scene.browser.kept).toHaveLength(1);
    scene.open();
    await pass(5000);
    expect(scene.server.applied).toMatchObject([{ key: id }]);
    expect(scene.tab.errors).toEqual([]);
  });

  it('takes nothing more', async () => {
    scene.open();
    scene.tab.outbox.close();
    const { id, queued } = scene.tab.outbox.enqueue(publish());
    const seen = [watch(queued), watch(scene.tab.outbox.retry(id).queued), watch(scene.tab.outbox.discard(id))];
    await pass();
    expect(seen.map(({ error, value }) => error?.code ?? value)).toEqual(['closed', 'closed', 'closed']);
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
