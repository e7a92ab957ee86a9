import { bigint, integer, numeric, pgTable, text } from 'drizzle-orm/pg-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../src/protocol/filter.ts';
import { collection } from '../../src/records/collection.ts';
import { compareDecimals, normalDecimal } from '../../src/records/compare-decimals.ts';
import { compileRowFilters } from '../../src/records/row-filter.ts';
import { everyRow } from '../../src/records/visibility.ts';

const things = collection('things', {
  table: pgTable('things', {
    id: integer('id').primaryKey(),
    big: bigint('big', { mode: 'bigint' }),
    amount: numeric('amount'),
    name: text('name'),
    version: integer('version').notNull().default(1),
  }),
  visibility: everyRow(),
});

const judge = (filter: string, row: Record<string, string | number | null>) =>
  compileRowFilters(things, NO_FACTS, [parseFilter(filter)!])(row);

const NO_FACTS = { kind: 'r', rowSecurity: false, columns: new Map(), uniques: [] };

describe('a filter on the rows of a collection', () => {
  it.each([
    ['big=gt.9', '10', true],
    ['big=lt.9', '10', false],
    ['big=eq.9007199254740993', '9007199254740993', true],
    ['big=eq.9007199254740992', '9007199254740993', false],
    ['big=gte.-5', '-6', false],
    ['big=in.(1,2)', '2', true],
    ['big=neq.2', '3', true],
  ])('compares big integers as numbers: %s of %s is %s', (filter, big, expected) => {
    expect(judge(filter, { big })).toBe(expected);
  });

  it.each([
    ['amount=eq.1.5', '1.50', true],
    ['amount=in.(1.50,2)', '1.5', true],
    ['amount=gt.1.5', '1.49', false],
    ['amount=lt.0', '-0.00', false],
    ['amount=eq.NaN', 'NaN', true],
    ['amount=is.null', null, true],
    ['amount=neq.1', null, false],
  ])('compares decimals by their value: %s of %s is %s', (filter, amount, expected) => {
    expect(judge(filter, { amount })).toBe(expected);
  });
});

describe('decimals as text', () => {
  const decimal = fc
    .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.nat(12), fc.nat(3))
    .map(([negative, digits, scale, zeros]) => {
      const all = digits.toString().padStart(scale + 1, '0');
      const whole = '0'.repeat(zeros) + all.slice(0, all.length - scale);
      const part = scale === 0 ? '' : `.${all.slice(all.length - scale)}${'0'.repeat(zeros)}`;
      return {
        text: `${negative ? '-' : ''}${whole}${part}`,
        value: (negative ? -digits : digits) * 10n ** BigInt(12 - scale),
      };
    });

  it('compare as the numbers they are', () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const expected = a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
        expect(Math.sign(compareDecimals(a.text, b.text) ?? Number.NaN) + 0).toBe(expected);
        expect(normalDecimal(a.text) === normalDecimal(b.text)).toBe(expected === 0);
      }),
    );
  });

  it.each(['', 'NaN', 'Infinity', '1e5', 'x', '1.2.3'])('do not include %j', (text) => {
    expect(compareDecimals(text, '1')).toBeUndefined();
    expect(normalDecimal(text)).toBe(text);
  });
});
