/** What the server has refused, and what somebody gives up. */
import { describe, expect, it } from 'vitest';
import { publish } from './mutations.ts';
import { pass, setScene } from './scene.ts';
import { watch } from './tabs.ts';

const scene = setScene();

describe('a dead letter', () => {
  const bury = async () => {
    scene.server.fate = () => 'forbidden';
    scene.open();
    const { id, confirmed } = scene.tab.outbox.enqueue(publish('a', 1));
    const seen = watch(confirmed);
    await pass();
    scene.server.fate = () => 'answer';
    return { id, seen };
  };

  it('says what the server said, and lets pass what is behind it', async () => {
    const { id, seen } = await bury();
    expect(seen.error).toMatchObject({ code: 'refused', problem: { code: 'forbidden' } });
    scene.tab.outbox.enqueue(publish('a', 2));
    await pass();
    expect(scene.data()).toEqual([2]);
    expect(scene.tab.outbox.deadLetters()).toMatchObject([
      { id, refusal: { kind: 'refused', problem: { code: 'forbidden' } } },
    ]);
    expect(scene.tab.outbox.pending()).toEqual([]);
  });

  it('is sent again on demand, and confirmed by another promise', async () => {
    const { id } = await bury();
    const { queued, confirmed } = scene.tab.outbox.retry(id);
    const seen = watch(confirmed);
    await queued;
    await pass();
    expect(seen.value).toBeDefined();
    expect(scene.data()).toEqual([1]);
    expect(scene.tab.outbox.deadLetters()).toEqual([]);
  });

  it('is edited, under another key', async () => {
    const { id } = await bury();
    scene.tab.outbox.edit(id, publish('b', 7));
    await pass();
    expect(scene.server.applied).toMatchObject([{ key: `${id}.1`, path: '/v1/topics/b/events', body: [{ data: 7 }] }]);
  });

  it('is discarded, once', async () => {
    const { id } = await bury();
    const done = [scene.tab.outbox.discard(id), scene.tab.outbox.discard(id)];
    await pass();
    expect(await Promise.all(done)).toEqual([true, false]);
    expect(scene.browser.kept).toEqual([]);
    const seen = watch(scene.tab.outbox.retry(id).queued);
    await pass();
    expect(seen.error.code).toBe('missing');
  });

  it('is there again after a reload', async () => {
    const { id } = await bury();
    scene.tab.outbox.close();
    scene.open();
    await pass();
    expect(scene.tab.outbox.deadLetters()).toMatchObject([{ id }]);
    expect(scene.tab.changes).toMatchObject([{ id, state: 'dead' }]);
  });

  it('that was applied after all is settled when the stream shows it', async () => {
    scene.server.fate = ({ key }) =>
      scene.server.asked.filter((each) => each.key === key).length === 1 ? 'lost-answer' : 'not-found';
    scene.open({ watches: () => true });
    const { id, confirmed } = scene.tab.outbox.enqueue(publish());
    const seen = watch(confirmed);
    await pass(1000);
    expect(seen.error).toMatchObject({ code: 'uncertain', problem: { code: 'not-found' } });
    scene.tab.outbox.settle(id);
    await pass();
    expect(scene.tab.outbox.deadLetters()).toEqual([]);
  });
});

describe('discarding', () => {
  it('takes back what was never sent, and tells who waits', async () => {
    scene.server.delay = () => 1000;
    scene.open();
    scene.tab.outbox.enqueue(publish('a', 1));
    const { id, confirmed } = scene.tab.outbox.enqueue(publish('a', 2));
    const seen = watch(confirmed);
    await pass();
    expect(await scene.tab.outbox.discard(id)).toBe(true);
    await pass(2000);
    expect(seen.error.code).toBe('discarded');
    expect(scene.data()).toEqual([1]);
  });

  it('does not take back what is under way', async () => {
    scene.server.delay = () => 1000;
    scene.open();
    const { id } = scene.tab.outbox.enqueue(publish());
    await pass();
    expect(await scene.tab.outbox.discard(id)).toBe(false);
    await pass(1000);
    expect(scene.data()).toEqual([1]);
  });
});
