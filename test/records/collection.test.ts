import { integer, pgSchema, pgTable, real, text } from 'drizzle-orm/pg-core';
import { describe, expect, it } from 'vitest';
import { type CollectionOptions, collection } from '../../src/records/collection.ts';
import { everyRow, rls } from '../../src/records/visibility.ts';
import { ordersTable, placesTable } from './orders-table.ts';

type Options = Partial<CollectionOptions<typeof ordersTable>>;
const version = integer().notNull().default(1);
const orders = (options: Options = {}) => collection('orders', { table: ordersTable, visibility: rls(), ...options });

describe('a collection', () => {
  it('knows its columns, in order, by both names', () => {
    const { columns, byProperty, byColumn } = orders();
    expect(columns.map(({ property }) => property)).toEqual(
      Object.keys(ordersTable).filter((name) => name !== 'enableRLS'),
    );
    expect(byProperty.get('customerId')).toBe(byColumn.get('customer_id'));
    expect(columns.map(({ kind }) => kind)).toEqual(
      (
        'int4 uuid text numeric int8 int4 float8 float4 boolean enum timestamptz timestamp date array array json bytea ' +
        'int4 int4'
      ).split(' '),
    );
    expect(columns.filter(({ quoted }) => quoted).map(({ property }) => property)).toEqual([
      'total',
      'cents',
      'counts',
    ]);
    expect(columns.filter(({ generated }) => generated).map(({ property }) => property)).toEqual(['half']);
  });

  it('is keyed by the primary key of its table, in the order of that key', () => {
    expect(orders().key.map(({ property }) => property)).toEqual(['id']);
    const places = collection('places', { table: placesTable, visibility: everyRow() });
    expect(places.key.map(({ property }) => property)).toEqual(['number', 'region']);
    expect(orders({ key: ['customerId', 'id'] }).key.map(({ column }) => column)).toEqual(['customer_id', 'id']);
  });

  it('finds the version by its column, whatever the property is called', () => {
    expect(orders().version.property).toBe('rev');
  });

  it('can be filtered by what can be compared, or by what it lists', () => {
    const { filterable } = orders();
    for (const property of ['tags', 'counts', 'extra', 'bytes']) expect(filterable).not.toContain(property);
    for (const property of ['id', 'customerId', 'state', 'at', 'total', 'rev']) expect(filterable).toContain(property);
    expect([...orders({ filterable: ['state'] }).filterable]).toEqual(['state']);
    expect([...orders({ filterable: [] }).filterable]).toEqual([]);
  });

  it('writes its table as SQL does', () => {
    expect(orders().sqlName).toBe('"orders"');
    const odd = pgSchema('my "shop"').table('Or"ders', { id: integer().primaryKey(), version });
    expect(collection('odd', { table: odd, visibility: rls() }).sqlName).toBe('"my ""shop"""."Or""ders"');
  });

  it('may be written to unless it says otherwise', () => {
    expect(orders().readOnly).toBe(false);
    expect(orders({ readOnly: true }).readOnly).toBe(true);
  });
});

describe('a definition', () => {
  const table = (columns: object) => pgTable('things', { id: integer().primaryKey(), version, ...columns }) as never;
  const define = (options: object) => () => collection('orders', { visibility: rls(), ...options } as never);

  it.each([
    ['a column version', { table: pgTable('things', { id: integer().primaryKey() }) }, /things has no column version/],
    ['a version that is a number', { table: table({ version: text().notNull() }) }, /integer or bigint/],
    ['a version that is never null', { table: table({ version: integer() }) }, /not null/],
    ['a key', { table: pgTable('things', { version }) }, /no primary key/],
    ['a key with something in it', { table: ordersTable, key: [] }, /key/],
    ['a key of its own columns', { table: ordersTable, key: 'nope' }, /key names "nope"/],
    ['a key of own properties', { table: ordersTable, key: 'constructor' }, /key names "constructor"/],
    ['a key that is never null', { table: ordersTable, key: 'note' }, /note.*null/],
    ['a key with one text', { table: table({ f: real().notNull() }), key: 'f' }, /more than one text/],
    ['a key that is not the version', { table: ordersTable, key: 'rev' }, /version/],
    ['a key without repetition', { table: ordersTable, key: ['id', 'id'] }, /twice/],
    ['a merge of its own fields', { table: ordersTable, merge: { nope: 'client' } }, /merge names "nope"/],
    ['a merge by a known policy', { table: ordersTable, merge: { note: 'mine' } }, /merge of note/],
    ['a sum of numbers', { table: ordersTable, merge: { note: 'add' } }, /add is for numbers/],
    ['a union of arrays', { table: ordersTable, merge: { stock: 'union' } }, /union is for arrays/],
    ['a merge of what can be written', { table: ordersTable, merge: { id: 'client' } }, /no patch can change/],
    ['a merge of what is not generated', { table: ordersTable, merge: { half: 'add' } }, /no patch can change/],
    [
      'filters on its own fields',
      { table: ordersTable, filterable: ['customer_id'] },
      /filterable names "customer_id"/,
    ],
    ['filters on what can be compared', { table: ordersTable, filterable: ['extra'] }, /extra cannot be filterable/],
    ['a visibility', { table: ordersTable, visibility: undefined }, /visibility must be said/],
    ['a known visibility', { table: ordersTable, visibility: { kind: 'all' } }, /visibility must be said/],
  ])('needs %s', (_, options, message) => {
    expect(define(options)).toThrow(TypeError);
    expect(define(options)).toThrow(message);
  });

  it.each(['', 'a b', 'a*', '.', '\ud800', 'x'.repeat(513)])('refuses a name that is no topic: %j', (name) => {
    expect(() => collection(name, { table: ordersTable, visibility: rls() })).toThrow(/legal topic/);
  });

  it('takes a name of several levels', () => {
    expect(collection('shop:orders', { table: ordersTable, visibility: rls() }).name).toBe('shop:orders');
  });
});
