import { describe, expect, it } from 'vitest';
import { collection } from '../../src/records/collection.ts';
import { rls } from '../../src/records/visibility.ts';
import { isSameValue } from '../../src/records/wire-equality.ts';
import { ordersTable } from './orders-table.ts';

const { byProperty } = collection('orders', { table: ordersTable, visibility: rls() });

function same(property: string, a: unknown, b: unknown): boolean {
  const column = byProperty.get(property);
  if (column === undefined) throw new Error(`no ${property}`);
  expect(isSameValue(column, b, a)).toBe(isSameValue(column, a, b));
  return isSameValue(column, a, b);
}

describe('two values of a column', () => {
  it.each([
    ['total', '1.50', '1.5'],
    ['total', '-0.00', '0'],
    ['cents', '007', '7'],
    ['weight', 0, -0],
    ['at', '2024-01-01T00:00:00Z', '2024-01-01T02:00:00.000+02:00'],
    ['at', '2024-01-01T00:00Z', '2024-01-01T00:00:00+00:00'],
    ['at', 'infinity', 'infinity'],
    ['local', '2024-01-01T00:00:00', '2024-01-01T00:00:00.000Z'],
    ['customerId', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['bytes', '\\xAB', '\\xab'],
    ['counts', ['1', null], ['01', null]],
    ['extra', { a: 1, b: [{ c: 1, d: 2 }] }, { b: [{ d: 2, c: 1 }], a: 1 }],
    ['note', null, undefined],
  ])('of %s are the same: %j and %j', (property, a, b) => {
    expect(same(property, a, b)).toBe(true);
  });

  it.each([
    ['total', '9007199254740993', '9007199254740992'],
    ['total', '0', null],
    ['total', 'NaN', '0'],
    ['at', '2024-01-01T00:00:00.000001Z', '2024-01-01T00:00:00Z'],
    ['at', 'infinity', '-infinity'],
    ['note', 'a', 'A'],
    ['note', '', null],
    ['note', '1.0', '1'],
    ['tags', ['a', 'b'], ['b', 'a']],
    ['tags', ['a'], []],
    ['extra', [1], ['1']],
    ['extra', {}, null],
  ])('of %s differ: %j and %j', (property, a, b) => {
    expect(same(property, a, b)).toBe(false);
  });
});
