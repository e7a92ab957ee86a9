import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admission } from '../../../src/client/records/admission.ts';
import { temporaryKey } from '../../../src/client/records/record-key.ts';
import { type FieldOrders, rowOrder } from '../../../src/client/records/row-order.ts';

function sorted(values: readonly unknown[], direction = 'asc', fields?: FieldOrders): readonly unknown[] {
  const order = rowOrder(`v.${direction}`, ['id'], fields);
  return values
    .map((v, id) => ({ v, places: order.placesOf({ id, v }) }))
    .sort((a, b) => order.compare(a.places, b.places))
    .map(({ v }) => v);
}

describe('the order of rows', () => {
  it.each([
    ['numbers as numbers', [10, 9, -1, 1.5], [-1, 1.5, 9, 10]],
    ['digits as numbers', ['10.00', '9.50', '-1.00'], ['-1.00', '9.50', '10.00']],
    [
      'digits that are too long for a number exactly',
      ['9007199254740993', '9007199254740992'],
      ['9007199254740992', '9007199254740993'],
    ],
    ['other texts by code unit, behind digits', ['b', 'B', 'a', '10', 'é'], ['10', 'B', 'a', 'b', 'é']],
    [
      'times of one zone as texts',
      ['2026-11-21T05:47:53.5+00:00', '2026-11-21T05:47:53+00:00'],
      ['2026-11-21T05:47:53+00:00', '2026-11-21T05:47:53.5+00:00'],
    ],
    ['false before true, and null behind all', [null, true, false, undefined], [false, true, null, undefined]],
  ])('has %s', (_, values, expected) => {
    expect(sorted(values)).toEqual(expected);
  });

  it('is turned round by desc, nulls first', () => {
    expect(sorted([1, null, 3, 2], 'desc')).toEqual([null, 3, 2, 1]);
  });

  it('takes digits for text, or compares texts in another way, where it is told to', () => {
    expect(sorted(['10', '9', '00123'], 'asc', { v: 'text' })).toEqual(['00123', '10', '9']);
    const { compare } = new Intl.Collator('de', { sensitivity: 'base' });
    expect(sorted(['b', 'B', 'a', 'Ä'], 'asc', { v: compare })).toEqual(['a', 'Ä', 'b', 'B']);
  });

  it('puts equal rows in the order of their keys, and those with a temporary one behind', () => {
    const order = rowOrder('v', ['a', 'b']);
    const rows = [
      order.placesOf({ v: 1, a: 'x', b: 2 }),
      order.placesOf({ v: 1, a: 'x', b: 10 }),
      order.placesOf({ v: 1, a: temporaryKey({ id: 'm' }), b: null }),
      order.placesOf({ v: 2, a: 'a', b: 0 }),
    ];
    expect(rows.toReversed().sort(order.compare)).toEqual(rows);
  });

  it('is one order of all values, whatever they are', () => {
    const value = fc.oneof(
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom('10', '9', '1a', '-1.5', '1e5', '', 'x', '9007199254740993', '9007199254740992'),
      fc.string(),
      fc.object(),
    );
    const order = rowOrder('v', []);
    const compare = (a: unknown, b: unknown) => order.compare(order.placesOf({ v: a }), order.placesOf({ v: b }));
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(0 - Math.sign(compare(b, a)));
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the guess whether a record meets the filters', () => {
  it.each([
    ['n=eq.1', { n: 1 }, true],
    ['n=eq.1', { n: 2 }, false],
    ['n=neq.1', { n: null }, false],
    ['n=gte.20', { n: '120.00' }, true],
    ['n=lt.20', { n: '120.00' }, false],
    ['n=gt.1', { n: null }, false],
    ['n=lte.2', { n: 2 }, true],
    ['s=neq.open', { s: 'done' }, true],
    ['s=in.(open,paid)', { s: 'paid' }, true],
    ['s=in.open,paid', { s: 'sent' }, false],
    ['s=in.("a,b")', { s: 'sent' }, true],
    ['b=eq.true', { b: true }, true],
    ['b=is.true', { b: false }, false],
    ['d=is.null', { d: null }, true],
    ['d=is.null', { d: '2026' }, false],
    ['d=is.not_null', { d: null }, false],
    ['s=eq.open', {}, true],
    ['nonsense', { s: 'x' }, true],
    ['s=like.x', { s: 'y' }, true],
  ])('%s of %j: %s', (filter, row, expected) => {
    expect(admission([filter])(row, undefined)).toBe(expected);
  });

  it('does not doubt what the server has said yes to', () => {
    const admits = admission(['s=eq.open', 't=eq.x']);
    expect(admits({ s: 'OPEN', t: 'x' }, { s: 'OPEN', t: 'x' })).toBe(true);
    expect(admits({ s: 'done', t: 'x' }, { s: 'OPEN', t: 'x' })).toBe(false);
  });
});
