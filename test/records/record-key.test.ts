import { boolean, integer, pgTable, text } from 'drizzle-orm/pg-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collection } from '../../src/records/collection.ts';
import { formatKey, keyOfImage, keyOfRecord, parseKey } from '../../src/records/record-key.ts';
import { rls } from '../../src/records/visibility.ts';
import { ordersTable, placesTable, status } from './orders-table.ts';

const orders = collection('orders', { table: ordersTable, visibility: rls() });
const places = collection('places', { table: placesTable, visibility: rls() });
const version = integer().notNull().default(1);
const keyed = (column: object) =>
  collection('keyed', { table: pgTable('keyed', { key: column as never, version }), key: 'key', visibility: rls() });

describe('the key of a record', () => {
  it('is the text of its only column, or the encoded texts of several, in the order of the key', () => {
    expect(keyOfImage(orders, '{"version": 1, "id": 42}')).toBe('42');
    expect(keyOfImage(places, '{"region": "a,b/ü", "number": 9007199254740993, "version": 1}')).toBe(
      '9007199254740993,a%2Cb%2F%C3%BC',
    );
    expect(keyOfImage(keyed(text().notNull()), '{"key": "a,b/\\"ü"}')).toBe('a,b/"ü');
    expect(keyOfImage(keyed(boolean().notNull()), '{"key": true}')).toBe('true');
  });

  it('is the same on the wire as in the image, though digits are quoted there', () => {
    expect(keyOfRecord(places, { region: 'x', number: '9007199254740993' })).toBe('9007199254740993,x');
    expect(keyOfRecord(orders, { id: 42 })).toBe('42');
  });

  it.each([
    ['is missing', '{"region": "x", "version": 1}'],
    ['is null', '{"region": "x", "number": null}'],
  ])('cannot be read where a column %s, and the error names table and column', (_, image) => {
    expect(() => keyOfImage(places, image)).toThrow(TypeError);
    expect(() => keyOfImage(places, image)).toThrow(/places\.number/);
    expect(() => keyOfRecord(places, { region: 'x' })).toThrow(/places\.number/);
    expect(() => keyOfRecord(places, JSON.parse('{"__proto__":{"number":1},"region":"x"}'))).toThrow(TypeError);
  });

  it('is read back as it was written', () => {
    const part = fc.string({
      unit: fc.oneof(fc.constantFrom(',', '%', '%2C', '/', ' '), fc.string({ unit: 'grapheme' })),
    });
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), part, (number, region) => {
        fc.pre(!region.includes('\0'));
        const parts = [String(number), region];
        expect(parseKey(places, formatKey(parts))).toEqual(parts);
        expect(parseKey(keyed(text().notNull()), formatKey([region]))).toEqual([region]);
      }),
    );
  });
});

describe('reading a key', () => {
  it.each([
    '',
    '007',
    '+1',
    '-0',
    '1.0',
    '1e3',
    ' 1',
    '2147483648',
    '-2147483649',
    'x',
    "1' or '1'='1",
    '1,2',
    '99999999999999999999',
  ])('finds that no record of an integer key has %j', (key) => {
    expect(parseKey(orders, key)).toBeUndefined();
  });

  it.each(['', '1', '1,2,3', '%,x', '1,%', '1,%ff', '1,%00', 'x,1', '9223372036854775808,x'])(
    'finds that no record of a composite key has %j',
    (key) => {
      expect(parseKey(places, key)).toBeUndefined();
    },
  );

  it('judges what the type can tell', () => {
    expect(parseKey(keyed(status().notNull()), 'open')).toEqual(['open']);
    expect(parseKey(keyed(status().notNull()), 'gone')).toBeUndefined();
    expect(parseKey(keyed(boolean().notNull()), 'yes')).toBeUndefined();
    expect(parseKey(keyed(text().notNull()), 'a\0')).toBeUndefined();
    expect(parseKey(keyed(text().notNull()), '\ud800')).toBeUndefined();
    expect(parseKey(orders, '-2147483648')).toEqual(['-2147483648']);
  });
});
