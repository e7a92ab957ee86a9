import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChainLink, inChainOrder, type RowState } from '../../src/capture/chain-order.ts';

interface Link extends ChainLink {
  readonly n: number;
}

/** What is done to a few rows, one after another. States never come back, as versions do not. */
function history(steps: readonly (readonly [kind: string, key: string, to: string])[]): readonly Link[] {
  const rows = new Map<string, RowState>(['a', 'b'].map((key) => [key, { key, state: `before ${key}` }]));
  const links: Link[] = [];
  for (const [kind, key, to] of steps) {
    const n = links.length;
    const before = rows.get(key);
    const target = kind === 'move' ? to : key;
    const after = kind === 'delete' ? undefined : { key: target, state: `${n}` };
    if (before === undefined && kind !== 'put') continue;
    if (kind === 'move' && rows.has(to)) continue;
    rows.delete(key);
    if (after !== undefined) rows.set(target, after);
    links.push({ n, before, after });
  }
  return links;
}

/** Whether each link begins at what the one before it on its row led to. */
function follows(links: readonly Link[]): boolean {
  const rows = new Map<string, string | undefined>();
  return links.every(({ before, after }) => {
    if (before !== undefined && rows.has(before.key) && rows.get(before.key) !== before.state) return false;
    if (before !== undefined) rows.set(before.key, undefined);
    if (after !== undefined && rows.get(after.key) !== undefined) return false;
    if (after !== undefined) rows.set(after.key, after.state);
    return true;
  });
}

function shuffled(links: readonly Link[], swaps: readonly number[]): readonly Link[] {
  const noted = [...links];
  for (const [index, swap] of swaps.entries()) {
    const [a, b] = [index % (noted.length || 1), swap % (noted.length || 1)];
    const [one, other] = [noted[a], noted[b]];
    if (one !== undefined && other !== undefined) [noted[a], noted[b]] = [other, one];
  }
  return noted;
}

const key = fc.constantFrom('a', 'b', 'c');
const steps = fc.array(fc.tuple(fc.constantFrom('put', 'put', 'delete', 'move'), key, key), { maxLength: 25 });

describe('the order in which changes were made', () => {
  it('is found again, whatever the order in which they were noted', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat()), (done, swaps) => {
        const made = history(done.filter(([kind]) => kind !== 'move'));
        expect(follows(made)).toBe(true);
        const ordered = inChainOrder(shuffled(made, swaps));
        expect([...ordered].sort((a, b) => a.n - b.n)).toEqual(made);
        expect(follows(ordered)).toBe(true);
      }),
    );
  });

  it('leads to what the rows became, where none is inserted and deleted', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat()), (done, swaps) => {
        const begun = new Set<string>();
        const made = history(
          done.filter(([kind, key]) => {
            if (kind === 'move' || begun.has(key)) return false;
            if (kind === 'delete' || key === 'c') begun.add(key);
            return true;
          }),
        );
        const ordered = inChainOrder(shuffled(made, swaps));
        // What became of each row is what became of it.
        const last = (links: readonly Link[]) => {
          const rows = new Map<string, string>();
          for (const { before, after } of links) {
            if (before !== undefined) rows.delete(before.key);
            if (after !== undefined) rows.set(after.key, after.state);
          }
          return [...rows].sort();
        };
        expect(last(ordered)).toEqual(last(made));
      }),
    );
  });

  it('is left alone where it is right', () => {
    fc.assert(
      fc.property(steps, (done) => {
        const made = history(done);
        expect(inChainOrder(made)).toEqual(made);
      }),
    );
  });

  it('keeps every change, also of rows that held one key for a while', () => {
    const swap: Link[] = [
      { n: 0, before: { key: 'a', state: '1' }, after: { key: 'b', state: '2' } },
      { n: 1, before: { key: 'b', state: '1' }, after: { key: 'a', state: '2' } },
    ];
    expect(inChainOrder(swap)).toEqual(swap);
  });

  it('takes a time that grows with the number of changes', () => {
    const many = history(Array.from({ length: 100_000 }, (_, n) => ['put', `k${n % 1000}`, ''] as const));
    expect(follows(inChainOrder([...many].reverse()))).toBe(true);
  });
});
