import { describe, expect, it } from 'vitest';
import { createGather } from '../../src/store/gather.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { until } from '../support/until.ts';

/** A gatherer of texts, whose statements end when they are told to. The key of a text is its first letter. */
function harness(more: { readonly most?: number; readonly waiting?: number } = {}) {
  const runs: { readonly items: readonly string[]; end(): void; fail(error: Error): void }[] = [];
  const ask = createGather<string, string>({
    run: (items) =>
      new Promise((resolve, reject) => {
        runs.push({ items, end: () => resolve(items.map((item) => item.toUpperCase())), fail: reject });
      }),
    keyOf: (item) => item[0] ?? '',
    schedule: queueMicrotask,
    most: 3,
    waiting: 5,
    ...more,
  });
  const running = async (count: number) => {
    await until('it runs', () => runs.length === count);
    return runs[count - 1]!;
  };
  return { ask, runs, running };
}

describe('gathering', () => {
  it('lets what comes in one turn share a statement, and what comes meanwhile the next', async () => {
    const { ask, running } = harness();
    const first = [ask('a'), ask('b')];
    const one = await running(1);
    expect(one.items).toEqual(['a', 'b']);
    const second = [ask('c'), ask('d'), ask('e'), ask('f')];
    one.end();
    expect(await Promise.all(first)).toEqual(['A', 'B']);
    const two = await running(2);
    expect(two.items).toEqual(['c', 'd', 'e']);
    two.end();
    (await running(3)).end();
    expect(await Promise.all(second)).toEqual(['C', 'D', 'E', 'F']);
  });

  it('gives items of one key a statement each, in their order', async () => {
    const { ask, running } = harness();
    const answers = Promise.all([ask('a1'), ask('b1'), ask('a2'), ask('a3')]);
    for (const [index, items] of [['a1', 'b1'], ['a2'], ['a3']].entries()) {
      const run = await running(index + 1);
      expect(run.items).toEqual(items);
      run.end();
    }
    expect(await answers).toEqual(['A1', 'B1', 'A2', 'A3']);
  });

  it('tries each by itself when one of them may be at fault', async () => {
    const { ask, running } = harness();
    const answers = Promise.allSettled([ask('a'), ask('b')]);
    (await running(1)).fail(new Error('fault'));
    (await running(2)).fail(new Error('fault'));
    (await running(3)).end();
    expect(await answers).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: 'B' }]);
  });

  it('tells all that wait when the medium is away, and goes on with whoever comes next', async () => {
    const { ask, running } = harness();
    const first = ask('a');
    const one = await running(1);
    const second = ask('b');
    one.fail(new StoreUnavailable('away'));
    for (const answer of [first, second]) await expect(answer).rejects.toThrow(StoreUnavailable);
    const third = ask('c');
    const two = await running(2);
    expect(two.items).toEqual(['c']);
    two.end();
    expect(await third).toBe('C');
  });

  it('refuses what is too much to wait', async () => {
    const { ask, running } = harness({ waiting: 2 });
    const first = ask('a');
    const one = await running(1);
    const waiting = [ask('b'), ask('c')];
    await expect(ask('d')).rejects.toThrow(StoreUnavailable);
    one.end();
    await first;
    (await running(2)).end();
    expect(await Promise.all(waiting)).toEqual(['B', 'C']);
  });
});
