import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/capture/change.ts';
import { netChanges } from '../../src/capture/net-changes.ts';

const image = (key: string, n: number) => JSON.stringify({ key, n });
const keyOf = (text: string) => (JSON.parse(text) as { key: string }).key;

/** A table that notes what is done to it. */
class Table {
  readonly rows = new Map<string, string>();
  readonly changes: Change[] = [];

  note(operation: Change['operation'], old: string | null, row: string | null): void {
    const id = this.changes.length + 1;
    this.changes.push({ id, transaction: '1', capture: 1, operation, old, new: row, actor: `a${id}`, mutation: null });
  }

  put(key: string, n: number): void {
    const old = this.rows.get(key) ?? null;
    const row = image(key, n);
    this.rows.set(key, row);
    this.note(old === null ? 'I' : 'U', old, row);
  }

  remove(key: string): void {
    const old = this.rows.get(key);
    if (old === undefined) return;
    this.rows.delete(key);
    this.note('D', old, null);
  }

  rename(key: string, to: string, n: number): void {
    const old = this.rows.get(key);
    if (old === undefined || this.rows.has(to)) return;
    this.rows.delete(key);
    this.rows.set(to, image(to, n));
    this.note('U', old, image(to, n));
  }
}

const key = fc.constantFrom('a', 'b', 'c', 'd');
const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key, n: fc.nat(3) }),
  fc.record({ kind: fc.constant('remove' as const), key }),
  fc.record({ kind: fc.constant('rename' as const), key, to: key, n: fc.nat(3) }),
);

function apply(table: Table, steps: readonly (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[]): void {
  for (const each of steps) {
    if (each.kind === 'put') table.put(each.key, each.n);
    else if (each.kind === 'remove') table.remove(each.key);
    else table.rename(each.key, each.to, each.n);
  }
}

describe('the net changes of a transaction', () => {
  it('lead from what was there before to what is there after, with no row between that was in neither', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), fc.array(step, { maxLength: 30 }), (before, during) => {
        const table = new Table();
        apply(table, before);
        const state = new Map(table.rows);
        const committed = new Set([...table.rows.values()]);
        table.changes.length = 0;
        apply(table, during);
        for (const row of table.rows.values()) committed.add(row);
        for (const change of netChanges(table.changes, keyOf)) {
          if (change.old !== null) {
            expect(state.get(keyOf(change.old))).toBe(change.old);
            state.delete(keyOf(change.old));
          }
          if (change.new !== null) {
            expect(committed).toContain(change.new);
            state.set(keyOf(change.new), change.new);
          }
          expect(change.operation).toBe(change.old === null ? 'I' : change.new === null ? 'D' : 'U');
        }
        expect([...state].sort()).toEqual([...table.rows].sort());
      }),
    );
  });

  it('let two rows exchange their keys', () => {
    const table = new Table();
    table.put('a', 1);
    table.put('b', 2);
    table.changes.length = 0;
    table.rename('b', 'c', 2);
    table.rename('a', 'b', 1);
    table.rename('c', 'a', 2);
    const net = netChanges(table.changes, keyOf);
    expect(net.map(({ operation, old, new: row }) => [operation, row ?? old])).toEqual([
      ['D', image('a', 1)],
      ['D', image('b', 2)],
      ['I', image('b', 1)],
      ['I', image('a', 2)],
    ]);
  });

  it('are at most one for each row', () => {
    const table = new Table();
    table.put('a', 1);
    table.put('b', 1);
    table.put('a', 2);
    table.put('a', 3);
    const net = netChanges(table.changes, keyOf);
    expect(net.map(({ operation, new: row }) => [operation, row])).toEqual([
      ['I', image('b', 1)],
      ['I', image('a', 3)],
    ]);
    expect(net[1]?.actor).toBe('a4');
  });

  it('are none for a row that was never there, or is as it was', () => {
    const table = new Table();
    table.put('a', 1);
    table.changes.length = 0;
    table.put('b', 1);
    table.remove('b');
    table.put('a', 2);
    table.put('a', 1);
    expect(netChanges(table.changes, keyOf)).toEqual([]);
  });
});
