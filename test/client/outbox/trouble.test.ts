/** What an outbox does while the network, the server, the token or the store is in trouble. */
import { describe, expect, it } from 'vitest';
import { OutboxError } from '../../../src/client/outbox/outbox-error.ts';
import { publish } from './mutations.ts';
import { pass, setScene } from './scene.ts';
import { watch } from './tabs.ts';

const scene = setScene();

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
    scene.server.fate = () => fate;
    scene.open();
    const { id, confirmed } = scene.tab.outbox.enqueue(publish());
    const seen = watch(confirmed);
    await pass(20_000);
    expect(seen.done).toBe(false);
    expect(scene.tab.outbox.pending()).toMatchObject([{ id, state: 'pending' }]);
    scene.server.fate = () => 'answer';
    await pass(30_000);
    expect(seen.value).toBeDefined();
    expect(new Set(scene.server.asked.map(({ key }) => key))).toEqual(new Set([id]));
    expect(scene.data()).toEqual([1]);
  });

  it('waits longer and longer, and not at all when it hears that all is well', async () => {
    scene.server.fate = () => 'lost';
    scene.open();
    scene.tab.outbox.enqueue(publish());
    const times: number[] = [];
    const begun = Date.now();
    scene.server.fate = () => {
      times.push(Date.now() - begun);
      return 'lost';
    };
    await pass(8000);
    expect(times).toEqual([0, 500, 1500, 3500, 7500]);
    scene.tab.outbox.wake();
    await pass();
    expect(times.at(-1)).toBe(8000);
  });

  it('waits as long as the server asks, also when it is woken', async () => {
    scene.server.fate = () => 'rate-limited';
    scene.server.retryAfter = 20_000;
    scene.open();
    scene.tab.outbox.enqueue(publish());
    await pass();
    scene.tab.outbox.wake();
    await pass(19_999);
    expect(scene.server.asked).toHaveLength(1);
    scene.server.fate = () => 'answer';
    await pass(1);
    expect(scene.data()).toEqual([1]);
  });

  it('waits no longer than ten minutes, whoever asks', async () => {
    scene.server.fate = () => 'rate-limited';
    scene.server.retryAfter = 86_400_000;
    scene.open();
    scene.tab.outbox.enqueue(publish());
    await pass();
    scene.server.fate = () => 'answer';
    await pass(599_999);
    expect(scene.data()).toEqual([]);
    await pass(1);
    expect(scene.data()).toEqual([1]);
  });

  it('counts once what fails at the same time', async () => {
    scene.server.fate = () => 'lost';
    scene.open();
    for (const topic of ['a', 'b', 'c', 'd']) scene.tab.outbox.enqueue(publish(topic));
    await pass();
    scene.server.fate = () => 'answer';
    await pass(499);
    expect(scene.data()).toEqual([]);
    await pass(1);
    expect(scene.data()).toEqual([1, 1, 1, 1]);
  });

  it('of the server stops all lanes, so that they do not all try', async () => {
    scene.server.fate = () => 'unavailable';
    scene.open();
    for (let n = 0; n < 50; n += 1) scene.tab.outbox.enqueue(publish(`t${n}`));
    await pass(400);
    expect(scene.server.asked).toHaveLength(4);
  });

  it('of one write alone stops its lane alone', async () => {
    scene.server.fate = ({ path }) => (path.includes('broken') ? 'internal' : 'answer');
    scene.open();
    scene.tab.outbox.enqueue(publish('broken'));
    for (const n of [1, 2, 3]) scene.tab.outbox.enqueue(publish('a', n));
    await pass();
    expect(scene.data()).toEqual([1, 2, 3]);
  });

  it('of one write that something before the server refuses lets the others pass', async () => {
    scene.server.fate = ({ path }) => (path.includes('broken') ? 'portal' : 'answer');
    scene.open();
    scene.tab.outbox.enqueue(publish('broken'));
    for (let n = 0; n < 20; n += 1) scene.tab.outbox.enqueue(publish(`t${n}`, n));
    await pass(30_000);
    expect(scene.data()).toHaveLength(20);
  });

  it('with the token pauses, and goes on with another one', async () => {
    scene.server.fate = () => 'token-expired';
    scene.open();
    scene.tab.outbox.enqueue(publish());
    await pass(5000);
    expect(scene.tab.outbox.pending()).toMatchObject([{ state: 'pending', sent: undefined }]);
    scene.server.fate = () => 'answer';
    scene.tab.outbox.wake();
    await pass();
    expect(scene.data()).toEqual([1]);
  });

  it('of the store is told to who enqueues, and takes nothing', async () => {
    scene.open();
    await pass();
    scene.browser.faults.push(new OutboxError('quota'));
    const { queued, confirmed } = scene.tab.outbox.enqueue(publish());
    const seen = [watch(queued), watch(confirmed)];
    await pass();
    for (const { error } of seen) expect(error.code).toBe('quota');
    scene.tab.outbox.enqueue(publish('a', 2));
    await pass();
    expect(scene.data()).toEqual([2]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'of the store while it drains is told, and overcome: the next %d steps',
    async (steps) => {
      scene.open();
      scene.server.delay = () => 100;
      const { confirmed } = scene.tab.outbox.enqueue(publish());
      const seen = watch(confirmed);
      await pass(50);
      for (let n = 0; n < steps; n += 1) scene.browser.faults.push(new OutboxError('storage'));
      await pass(120_000);
      expect(scene.tab.errors.map((error) => (error as OutboxError).code)).toEqual(Array(steps).fill('storage'));
      expect(seen.value).toBeDefined();
      expect(scene.data()).toEqual([1]);
    },
  );

  it('of the store while something is to be settled does not make it ask without end', async () => {
    scene.open({ watches: () => true });
    scene.tab.outbox.enqueue(publish());
    await pass();
    scene.browser.faults.push(...Array(1000).fill(new OutboxError('storage')));
    await pass(120_000);
    expect(scene.tab.errors.length).toBeLessThan(30);
    scene.browser.faults.length = 0;
    await pass(10_000);
    expect(scene.tab.outbox.pending()).toEqual([]);
  });

  it('of an observer is told, and stops nobody', async () => {
    scene.open();
    scene.tab.outbox.observe(() => {
      throw new Error('broken');
    });
    scene.tab.outbox.enqueue(publish());
    await pass();
    expect(scene.data()).toEqual([1]);
    expect(scene.tab.errors).not.toEqual([]);
  });
});
