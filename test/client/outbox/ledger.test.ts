/** What tabs know of one store, and what every step does besides what it was asked for. */
import { describe, expect, it } from 'vitest';
import { createLedger, KEPT, SETTLE_MS } from '../../../src/client/outbox/ledger.ts';
import { createMemoryStore } from '../../../src/client/outbox/memory-store.ts';
import type { Kept } from '../../../src/client/outbox/store.ts';
import { mutationOf, patch, publish } from './mutations.ts';

function setTabs() {
  const entries = new Map<number, Kept>();
  const shown = new Set<string>();
  const time = { now: 1000 };
  const open = () => {
    const told: Kept[] = [];
    const store = createMemoryStore(entries);
    const counts: number[] = [];
    const ledger = createLedger(
      async () => store,
      () => time.now,
      shown,
      (kept) => told.push(kept),
      (count) => counts.push(count),
    );
    const add = (kept: Kept) => {
      const { order: _, ...draft } = kept;
      return ledger.step(kept.id, () => draft);
    };
    const alter = (id: string, members: Partial<Kept>) => ledger.step(id, (found) => found && { ...found, ...members });
    const read = () => ledger.step('', () => undefined);
    return { ...ledger, told, counts, add, alter, read };
  };
  return { entries, shown, time, open };
}

const none = () => undefined;

describe('a ledger', () => {
  it('gives each mutation a place after all before it, also after those that are gone', async () => {
    const { time, open } = setTabs();
    const [mine, theirs] = [open(), open()];
    const added = [mutationOf(publish()), mutationOf(publish()), mutationOf(publish())];
    await mine.add(added[0]!);
    await theirs.add(added[1]!);
    await mine.alter(added[1]!.id, { gone: 'discarded' });
    // A clock that is set back changes nothing about that.
    time.now = 500;
    await theirs.add(added[2]!);
    await mine.read();
    expect(mine.all().map(({ id }) => id)).toEqual([added[0]!.id, added[2]!.id]);
    expect(theirs.all()).toEqual(mine.all());
  });

  it('tells what others have done, in order, and what it has done itself', async () => {
    const { open } = setTabs();
    const [mine, theirs] = [open(), open()];
    const [a, b] = [mutationOf(publish()), mutationOf(publish('b'))];
    await theirs.add(a);
    await theirs.alter(a.id, { state: 'in-flight' });
    await mine.add(b);
    await theirs.alter(a.id, { gone: 'settled' });
    await mine.read();
    expect(mine.told.map(({ id, state, gone }) => [id, gone ?? state])).toEqual([
      [a.id, 'in-flight'],
      [b.id, 'pending'],
      [a.id, 'settled'],
    ]);
    expect(mine.counts).toEqual([1, 0]);
  });

  it('tells nothing of what came and went meanwhile, and nothing twice', async () => {
    const { open } = setTabs();
    const [mine, theirs] = [open(), open()];
    const { id } = (await theirs.add(mutationOf(publish())))!;
    await theirs.alter(id, { gone: 'settled' });
    await mine.read();
    await mine.read();
    expect(mine.told).toEqual([]);
  });

  it('does nothing where it is given nothing, or finds nothing', async () => {
    const { entries, open } = setTabs();
    const tab = open();
    expect(await tab.step('x', none)).toBeUndefined();
    expect(await tab.alter('x', { state: 'dead' })).toBeUndefined();
    const { id } = (await tab.add(mutationOf(publish())))!;
    await tab.alter(id, { gone: 'discarded' });
    expect(await tab.alter(id, { state: 'pending' })).toBeUndefined();
    expect(entries.size).toBe(1);
  });

  it('keeps no more of what is gone than it says', async () => {
    const { entries, open } = setTabs();
    const tab = open();
    for (let n = 0; n < 3 * KEPT; n += 1) await tab.add(mutationOf(publish(), { gone: 'settled' }));
    await tab.read();
    expect(entries.size).toBe(KEPT);
  });

  it('learns everything again where it has missed more than is kept: what is not there is gone', async () => {
    const { open } = setTabs();
    const [mine, theirs] = [open(), open()];
    const [lost, stays] = [mutationOf(publish()), mutationOf(publish())];
    for (const each of [lost, stays]) await theirs.add(each);
    await mine.read();
    await theirs.alter(lost.id, { gone: 'discarded' });
    for (let n = 0; n < 2 * KEPT; n += 1) await theirs.add(mutationOf(publish(), { gone: 'settled' }));
    await theirs.alter(stays.id, { state: 'dead' });
    mine.told.length = 0;
    await mine.read();
    expect(mine.told.map(({ id, state, gone }) => [id, gone ?? state])).toEqual([
      [lost.id, 'settled'],
      [stays.id, 'dead'],
    ]);
    expect(mine.all()).toEqual(theirs.all());
  });

  it('goes on after a step that has failed', async () => {
    let fails = true;
    const store = createMemoryStore();
    const ledger = createLedger(
      async () => {
        if (fails) throw new Error('disk');
        return store;
      },
      () => 0,
      new Set(),
      () => undefined,
      () => undefined,
    );
    await expect(ledger.step('', none)).rejects.toThrow('disk');
    fails = false;
    const { order: _, ...draft } = mutationOf(publish());
    expect(await ledger.step(draft.id, () => draft)).toMatchObject({ id: draft.id });
  });
});

describe('with every step', () => {
  const answer = { version: 4, merged: false };

  it('what was acknowledged is settled when a stream has shown it, of that revision, or after a minute', async () => {
    const { shown, time, open } = setTabs();
    const tab = open();
    const acknowledged = { state: 'acknowledged', answer, revision: 1 } as const;
    const [a, b] = [mutationOf(publish(), acknowledged), mutationOf(publish('b'), acknowledged)];
    for (const each of [a, b]) await tab.add(each);
    for (const key of [a.id, `${b.id}.1`]) shown.add(key);
    await tab.read();
    expect(tab.all().map(({ id }) => id)).toEqual([a.id]);
    expect(tab.told.at(-1)).toMatchObject({ id: b.id, gone: 'settled' });
    time.now += SETTLE_MS;
    await tab.read();
    expect(tab.all()).toEqual([]);
  });

  it('what was thought uncertain is settled when a stream has shown it; nothing else that is not acknowledged', async () => {
    const { shown, open } = setTabs();
    const tab = open();
    const waiting = mutationOf(publish(), { state: 'in-flight', sent: 1 });
    const dead = mutationOf(publish(), { state: 'dead', refusal: { kind: 'uncertain' } });
    for (const each of [waiting, dead]) {
      shown.add(each.id);
      await tab.add(each);
    }
    expect(tab.all().map(({ id }) => id)).toEqual([waiting.id]);
  });

  it('what was never sent follows what was acknowledged before it, also if that is gone', async () => {
    const { open } = setTabs();
    const tab = open();
    const first = mutationOf(patch({ text: 'x' }, 3));
    const [behind, sent] = [mutationOf(patch({ text: 'y' }, 3)), mutationOf(patch({ text: 'z' }, 3), { sent: 5 })];
    for (const each of [first, behind, sent]) await tab.add(each);
    await tab.alter(first.id, { state: 'acknowledged', answer, gone: 'settled' });
    expect(tab.all().map(({ base }) => base)).toEqual([4, 3]);
    const late = await tab.add(mutationOf(patch({ text: 'w' }, 3)));
    expect(late?.base).toBe(4);
  });
});
