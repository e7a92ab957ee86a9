import { integer, jsonb, numeric, pgTable, text } from 'drizzle-orm/pg-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collection } from '../../src/records/collection.ts';
import { type MergeResult, mergeRecord } from '../../src/records/merge.ts';
import { rls } from '../../src/records/visibility.ts';
import { ordersTable } from './orders-table.ts';

const POLICIES = { a: 'reject', b: 'client', c: 'server', d: 'reject', e: 'reject' } as const;
const things = collection('things', {
  table: pgTable('things', {
    id: integer().primaryKey(),
    a: text(),
    b: text(),
    c: text(),
    d: integer(),
    e: jsonb(),
    version: integer().notNull().default(1),
  }),
  merge: POLICIES,
  visibility: rls(),
});
const FIELDS = ['a', 'b', 'c', 'd', 'e'] as const;

type Row = Readonly<Record<string, unknown>>;
const word = fc.constantFrom(null, 'x', 'y', 'z');
// No objects: as a patch they would be merge patches of their own, which have their own tests.
const value = {
  a: word,
  b: word,
  c: word,
  d: fc.constantFrom(null, 1, 2, 3),
  e: fc.constantFrom(null, 1, 'x', [1], [2]),
};
const row = fc.record({ id: fc.constant(1), ...value, version: fc.integer({ min: 1, max: 9 }) }) as fc.Arbitrary<Row>;
const patch = fc.record(value, { requiredKeys: [] }) as fc.Arbitrary<Row>;

const same = (left: unknown, right: unknown) => JSON.stringify(left) === JSON.stringify(right);
const apply = (current: Row, result: MergeResult): Row =>
  result.kind === 'merged' ? { ...current, ...result.values } : current;

describe('a merge', () => {
  it('never loses an update and never invents a value', () => {
    fc.assert(
      fc.property(row, row, patch, (base, current, mine) => {
        const result = mergeRecord(things, { base, current, patch: mine });
        const conflicts: string[] = [];
        for (const field of FIELDS) {
          const mineChanged = Object.hasOwn(mine, field) && !same(mine[field], base[field]);
          const theirsChanged = !same(current[field], base[field]);
          const both = mineChanged && theirsChanged && !same(mine[field], current[field]);
          if (both && POLICIES[field] === 'reject') conflicts.push(field);
          if (result.kind === 'conflict') continue;
          const after = apply(current, result)[field];
          const takesMine = mineChanged && (!both || POLICIES[field] === 'client');
          expect(after).toEqual(takesMine ? mine[field] : current[field]);
          if (result.kind === 'merged') expect(Object.hasOwn(result.values, field)).toBe(!same(after, current[field]));
        }
        expect(result.kind === 'conflict' ? result.fields : []).toEqual(conflicts);
      }),
      { numRuns: 2000 },
    );
  });

  it('always succeeds where the fields are disjoint, and tells that both sides had changed something', () => {
    const split = fc.tuple(row, row, patch, fc.uniqueArray(fc.constantFrom(...FIELDS)));
    fc.assert(
      fc.property(split, ([base, other, wanted, ours]) => {
        const theirs = FIELDS.filter((field) => !ours.includes(field));
        const current = { ...base, ...Object.fromEntries(theirs.map((field) => [field, other[field]])), version: 99 };
        const mine = Object.fromEntries(Object.entries(wanted).filter(([field]) => ours.includes(field as 'a')));
        const result = mergeRecord(things, { base, current, patch: mine });
        expect(apply(current, result)).toEqual({ ...current, ...mine });
        const changed = (left: Row, fields: readonly string[]) =>
          fields.some((field) => !same(left[field], base[field]));
        const merged = changed({ ...base, ...mine }, ours) && changed(current, theirs);
        expect(result).toMatchObject({ kind: 'merged', merged });
      }),
    );
  });

  it('of two disjoint patches gives the same in either order', () => {
    fc.assert(
      fc.property(row, patch, patch, fc.uniqueArray(fc.constantFrom(...FIELDS)), (base, one, two, ofOne) => {
        const first = Object.fromEntries(Object.entries(one).filter(([field]) => ofOne.includes(field as 'a')));
        const second = Object.fromEntries(Object.entries(two).filter(([field]) => !ofOne.includes(field as 'a')));
        const both = [
          [first, second],
          [second, first],
        ].map((patches) =>
          patches.reduce((current, mine) => apply(current, mergeRecord(things, { base, current, patch: mine })), base),
        );
        expect(both[0]).toEqual(both[1]);
      }),
    );
  });

  it('needs nothing written where both sides made the same edit', () => {
    const base = { id: 1, a: 'x', version: 1 };
    const result = mergeRecord(things, { base, current: { ...base, a: 'y', version: 2 }, patch: { a: 'y' } });
    expect(result).toEqual({ kind: 'merged', values: {}, merged: true });
  });

  it('is none where the client only repeats what it started from', () => {
    const base = { id: 1, a: 'x', d: 1, version: 1 };
    const result = mergeRecord(things, { base, current: { ...base, a: 'y', version: 2 }, patch: { a: 'x', d: 1 } });
    expect(result).toEqual({ kind: 'merged', values: {}, merged: false });
  });

  it('names every field in conflict, in the order of the definition', () => {
    const base = { a: 'x', d: 1, e: 1, b: 'x' };
    const current = { a: 'y', d: 2, e: 2, b: 'y' };
    expect(mergeRecord(things, { base, current, patch: { e: 3, d: 3, b: 'z', a: 'z' } })).toEqual({
      kind: 'conflict',
      fields: ['a', 'd', 'e'],
    });
  });

  it('applies an object for a json column as a merge patch to what the client started from', () => {
    const base = { e: { keep: 1, gone: 2, nested: { x: 1, y: 2 } } };
    const result = mergeRecord(things, { base, current: base, patch: { e: { gone: null, nested: { x: 3 } } } });
    expect(result).toMatchObject({ values: { e: { keep: 1, nested: { x: 3, y: 2 } } } });
  });

  it('does not take another spelling of a value for a change', () => {
    const orders = collection('orders', { table: ordersTable, visibility: rls() });
    const base = { total: '1.50', at: '2024-01-01T00:00:00.1+00:00', counts: ['1'], extra: { a: 1, b: 2 } };
    const mine = { total: '1.5', at: '2024-01-01T01:00:00.100+01:00', counts: ['1'], extra: { b: 2, a: 1 } };
    const current = { total: '9.00', at: '2025-01-01T00:00:00+00:00', counts: ['2'], extra: null };
    expect(mergeRecord(orders, { base, current, patch: mine })).toMatchObject({ kind: 'merged', values: {} });
    const finer = { at: '2024-01-01T00:00:00.100001Z' };
    expect(mergeRecord(orders, { base, current, patch: finer })).toEqual({ kind: 'conflict', fields: ['at'] });
  });
});

describe('the policy add', () => {
  const counters = collection('counters', {
    table: pgTable('counters', {
      id: integer().primaryKey(),
      small: integer(),
      exact: numeric(),
      float: numeric({ mode: 'number' }),
      version: integer().notNull().default(1),
    }),
    merge: { small: 'add', exact: 'add', float: 'add' },
    visibility: rls(),
  });
  const merge = (field: string, base: unknown, current: unknown, mine: unknown) =>
    mergeRecord(counters, { base: { [field]: base }, current: { [field]: current }, patch: { [field]: mine } });

  it('loses no increment, in whatever order they come, and is exact beyond what a double holds', () => {
    const amount = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });
    const increment = fc.oneof(amount, fc.constantFrom(1n, -1n));
    fc.assert(
      fc.property(amount, fc.array(increment, { maxLength: 8 }), fc.nat(20), (start, increments, scale) => {
        const text = (units: bigint) => {
          const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
          const sign = units < 0n ? '-' : '';
          return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
        };
        const end = increments.reduce((now, increment) => {
          const result = merge('exact', text(start), now, text(start + increment));
          return (apply({ exact: now }, result)['exact'] as string) ?? now;
        }, text(start));
        expect(end).toBe(text(increments.reduce((sum, increment) => sum + increment, start)));
      }),
    );
  });

  it('counts two equal additions twice, and takes equal values that cannot be added as they are', () => {
    expect(merge('small', 5, 6, 6)).toEqual({ kind: 'merged', values: { small: 7 }, merged: true });
    expect(merge('small', null, 6, 6)).toEqual({ kind: 'merged', values: {}, merged: true });
    expect(merge('small', 0, 2147483647, 2147483647)).toMatchObject({ kind: 'merged', values: {} });
  });

  it('adds decimals as decimals', () => {
    expect(merge('float', 0.1, 0.2, 0.2)).toMatchObject({ values: { float: 0.3 } });
    expect(merge('exact', '1.50', '2', '1.755')).toMatchObject({ values: { exact: '2.255' } });
  });

  it.each([
    ['a null on one side', 'small', 1, null, 2],
    ['a null to start from', 'small', null, 1, 2],
    ['a sum beyond the type', 'small', 1, 2147483647, 2],
    ['a sum below the type', 'small', 1, -2147483648, 0],
    ['what is no number', 'exact', '1', 'NaN', '2'],
  ])('leaves %s to the client', (_, field, base, current, mine) => {
    expect(merge(field, base, current, mine)).toEqual({ kind: 'conflict', fields: [field] });
  });
});

describe('the policy union', () => {
  const orders = collection('orders', {
    table: ordersTable,
    visibility: rls(),
    merge: { tags: 'union', counts: 'union' },
  });
  const merge = (base: unknown, current: unknown, mine: unknown) =>
    mergeRecord(orders, { base: { tags: base }, current: { tags: current }, patch: { tags: mine } });

  it('keeps what anybody added, and drops what anybody removed', () => {
    const set = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'));
    fc.assert(
      fc.property(set, set, set, (base, current, mine) => {
        const expected = new Set([
          ...base.filter((each) => current.includes(each) && mine.includes(each)),
          ...current.filter((each) => !base.includes(each)),
          ...mine.filter((each) => !base.includes(each)),
        ]);
        const after = apply({ tags: current }, merge(base, current, mine))['tags'] as readonly string[];
        expect(new Set(after)).toEqual(same(mine, base) ? new Set(current) : expected);
        expect(new Set(after).size).toBe(after.length);
      }),
    );
  });

  it('leaves the order that is there, and puts what is new behind it', () => {
    expect(merge(['a', 'b'], ['b', 'c', 'a'], ['a', 'z', 'y'])).toMatchObject({
      values: { tags: ['c', 'a', 'z', 'y'] },
    });
  });

  it('takes null to start from as empty, and leaves a null on either side to the client', () => {
    expect(merge(null, ['a'], ['b'])).toMatchObject({ values: { tags: ['a', 'b'] } });
    expect(merge(['a'], null, ['a', 'b'])).toEqual({ kind: 'conflict', fields: ['tags'] });
    expect(merge(['a'], ['b'], null)).toEqual({ kind: 'conflict', fields: ['tags'] });
  });
});

describe('a policy of the user', () => {
  it('gets all three values and decides', () => {
    const longest = collection('orders', {
      table: ordersTable,
      visibility: rls(),
      merge: { note: ({ base, current, mine }) => [base, current, mine].map((each) => each?.[0]).join('') },
    });
    const sides = { base: { note: 'a' }, current: { note: 'b' }, patch: { note: 'c' } };
    expect(mergeRecord(longest, sides)).toEqual({ kind: 'merged', values: { note: 'abc' }, merged: true });
  });

  it('is held to what the column can hold', () => {
    const wrong = collection('orders', {
      table: ordersTable,
      visibility: rls(),
      merge: { note: () => 'far too long' },
    });
    const sides = { base: { note: 'a' }, current: { note: 'b' }, patch: { note: 'c' } };
    expect(() => mergeRecord(wrong, sides)).toThrow(/merge of note/);
  });
});
