/** Writes that somebody else’s change stands against. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { patch, publish, remove, replace } from './mutations.ts';
import { NOTE, pass, setScene } from './scene.ts';
import { watch } from './tabs.ts';

const scene = setScene();

describe('a conflict', () => {
  beforeEach(() => {
    scene.server.records.set(NOTE, { version: 9, text: 'theirs' });
  });

  it('is a dead letter where nobody resolves it', async () => {
    scene.open();
    const { confirmed } = scene.tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    const seen = watch(confirmed);
    await pass();
    expect(seen.error).toMatchObject({ code: 'refused', problem: { code: 'conflict' } });
  });

  it('shows the resolver both sides, and sends what it decides on top of theirs, under another key', async () => {
    const resolve = vi.fn(async () => ({ text: 'both' }));
    scene.open({ resolve });
    const { id, confirmed } = scene.tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    await pass();
    expect(resolve.mock.calls).toMatchObject([
      [{ mutation: { id }, current: { version: 9, text: 'theirs' }, yours: { text: 'mine' }, fields: ['text'] }],
    ]);
    expect((await confirmed).version).toBe(10);
    expect(scene.server.applied).toMatchObject([{ key: `${id}.1`, body: { text: 'both' } }]);
  });

  it('is decided for mine', async () => {
    scene.open({ resolve: () => 'mine' });
    scene.tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    await pass();
    expect(scene.server.records.get(NOTE)).toMatchObject({ text: 'mine', version: 10 });
  });

  it('is decided for theirs: the write is gone', async () => {
    scene.open({ resolve: () => 'theirs' });
    const seen = watch(scene.tab.outbox.enqueue(patch({ text: 'mine' }, 3)).confirmed);
    await pass();
    expect(seen.error.code).toBe('discarded');
    expect(scene.server.applied).toEqual([]);
    expect(scene.browser.kept).toEqual([]);
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
    scene.open({ resolve });
    scene.tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    await pass();
    expect(scene.tab.outbox.deadLetters()).toMatchObject([{ refusal: { problem: { code: 'conflict' } } }]);
    expect(scene.tab.errors).toHaveLength(what === 'a fault' ? 1 : 0);
  });

  it('holds up its own lane alone while somebody thinks', async () => {
    let decide: (resolution: 'mine') => void = () => {};
    scene.open({
      resolve: () =>
        new Promise((resolve) => {
          decide = resolve;
        }),
    });
    scene.tab.outbox.enqueue(patch({ text: 'mine' }, 3));
    scene.tab.outbox.enqueue(patch({ title: 'mine' }));
    for (let n = 0; n < 10; n += 1) scene.tab.outbox.enqueue(publish(`t${n}`));
    await pass(60_000);
    expect(scene.server.applied).toHaveLength(10);
    decide('mine');
    await pass();
    expect(scene.server.records.get(NOTE)).toMatchObject({ text: 'mine', title: 'mine' });
  });

  it.each([
    ['a replacement', replace({ text: 'mine' }, 3), { text: 'mine' }],
    ['a delete', remove(3), {}],
  ])('of a precondition is shown too, and sent without it then: %s', async (_, write, yours) => {
    const resolve = vi.fn(() => 'mine' as const);
    scene.open({ resolve });
    scene.tab.outbox.enqueue(write);
    await pass();
    expect(resolve.mock.calls).toMatchObject([[{ base: undefined, current: undefined, yours, fields: [] }]]);
    expect(scene.server.applied).toMatchObject([{ method: write.kind === 'delete' ? 'DELETE' : 'PUT' }]);
  });

  it('of a precondition takes another record, or a patch of what was to be deleted', async () => {
    scene.open({ resolve: ({ mutation }) => ({ text: mutation.write.kind }) });
    scene.tab.outbox.enqueue(replace({ text: 'mine' }, 3));
    scene.tab.outbox.enqueue(remove(3));
    await pass();
    expect(scene.server.applied).toMatchObject([
      { method: 'PUT', body: { text: 'replace' } },
      { method: 'PATCH', body: { text: 'delete' } },
    ]);
  });
});
