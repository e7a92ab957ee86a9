import { integer, numeric, pgTable, text } from 'drizzle-orm/pg-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEventBody } from '../../src/protocol/event.ts';
import { type CapturedChange, toEventBodies } from '../../src/records/change-event.ts';
import { type Collection, collection } from '../../src/records/collection.ts';
import { rls } from '../../src/records/visibility.ts';
import { toColumns, toWire } from '../../src/records/wire-row.ts';
import { ordersTable, placesTable } from './orders-table.ts';

const orders = collection('orders', { table: ordersTable, visibility: rls() });
const places = collection('places', { table: placesTable, visibility: rls() });

const change = (operation: 'I' | 'U' | 'D', old: string | null, next: string | null): CapturedChange => ({
  operation,
  old,
  new: next,
  actor: null,
  mutation: null,
});
/** With no more columns than the images here have. */
const slips = collection('slips', {
  table: pgTable('slips', {
    id: integer('id').primaryKey(),
    note: text('note'),
    total: numeric('total'),
    rev: integer('version').notNull().default(1),
  }),
  visibility: rls(),
});
const told = (from: CapturedChange, of: Collection = slips as never) =>
  toEventBodies(of, from).map((body) => decodeEventBody(body));

describe('the wire form of a row', () => {
  it('has property names, in the order of the definition, and every digit', () => {
    const image =
      '{"version": 3, "id": 1, "cents": 9223372036854775807, "total": 12345678901234567890.10, "counts": [1, null, 9007199254740993],' +
      ' "customer_id": "c", "unknown": 1, "weight": 1.5, "extra": {"a": [1, "2"]}}';
    expect(toWire(orders, image)).toBe(
      '{"id":1,"customerId":"c","total":"12345678901234567890.10","cents":"9223372036854775807","weight":1.5,' +
        '"counts":["1", null, "9007199254740993"],"extra":{"a": [1, "2"]},"rev":3}',
    );
  });

  it('leaves nulls and what Postgres writes as a string as they are', () => {
    expect(toWire(orders, '{"total": "NaN", "cents": null, "counts": [[1, 2], [-3, null]]}')).toBe(
      '{"total":"NaN","cents":null,"counts":[["1", "2"], ["-3", null]]}',
    );
    expect(toWire(orders, '{}')).toBe('{}');
  });

  it('goes back to column names, own members of the definition only', () => {
    const record = JSON.parse('{"customerId":"c","rev":1,"unknown":1,"__proto__":{"id":7},"extra":{"__proto__":1}}');
    expect(toColumns(orders, record)).toBe('{"customer_id":"c","extra":{"__proto__":1},"version":1}');
    expect(toColumns(orders, { note: undefined, day: null })).toBe('{"day":null}');
  });
});

describe('the events of a change', () => {
  it('tell an insert by the new row', () => {
    const row = '{"id": 1, "note": "a", "total": null, "version": 1}';
    expect(told(change('I', null, row))).toEqual([
      { type: 'insert', key: '1', data: { new: { id: 1, note: 'a', total: null, rev: 1 }, version: 1 } },
    ]);
  });

  it('name the fields that the row does not have, as after a column was renamed', () => {
    const images = ['{"id":1,"memo":"a","total":null,"version":1}', '{"id":1,"memo":"b","total":null,"version":2}'];
    expect(told(change('U', images[0] ?? '', images[1] ?? ''))[0]?.data).toEqual({
      new: { id: 1, total: null, rev: 2 },
      old: {},
      version: 2,
      changed: [],
      omitted: ['note'],
    });
  });

  it('tell an update by the new row, and of the old one what has changed', () => {
    const events = told(
      change('U', '{"id":1,"note":"a","total":1.10,"version":1}', '{"id":1,"note":"b","total":1.10,"version":2}'),
    );
    expect(events).toEqual([
      {
        type: 'update',
        key: '1',
        data: { new: { id: 1, note: 'b', total: '1.10', rev: 2 }, old: { note: 'a' }, version: 2, changed: ['note'] },
      },
    ]);
  });

  it('tell a delete by the whole old row', () => {
    expect(told(change('D', '{"id":1,"note":"a","total":1,"version":4}', null))).toEqual([
      { type: 'delete', key: '1', data: { old: { id: 1, note: 'a', total: '1', rev: 4 }, version: 4 } },
    ]);
  });

  it('tell an update of the key as a delete and an insert', () => {
    const events = told(
      change('U', '{"id":1,"note":"a","total":1,"version":1}', '{"id":2,"note":"a","total":1,"version":2}'),
    );
    expect(events).toEqual([
      { type: 'delete', key: '1', data: { old: { id: 1, note: 'a', total: '1', rev: 1 }, version: 1 } },
      { type: 'insert', key: '2', data: { new: { id: 2, note: 'a', total: '1', rev: 2 }, version: 2 } },
    ]);
  });

  it('name no field where only the version or a column outside the definition has changed', () => {
    const [event] = told(change('U', '{"id":1,"x":1,"version":1}', '{"id":1,"x":2,"version":2}'));
    expect(event).toMatchObject({ data: { old: {}, changed: [], version: 2 } });
  });

  it('carry who made the change', () => {
    const [event] = told({ ...change('I', null, '{"id":1,"version":1}'), actor: 'a"nn', mutation: 'm\n1' });
    expect(event).toMatchObject({ actor: 'a"nn', mutation: 'm\n1' });
  });

  it('leave out and name what was too large, and say whether it was changed', () => {
    const large = (digest: string, total: string, rev: number) =>
      `{"id": 1, "total": ${total}, "version": ${rev}, "$large": {"note": "${digest}"}}`;
    const small = '{"id":1,"note":"a","total":1.0,"version":6}';
    const omitted = ['note'];
    const row = { id: 1, total: '1.0', rev: 7 };
    const data = (image: string, after: string | null) =>
      told(change(after === null ? 'I' : 'U', after && image, after ?? image))[0]?.data;
    expect(data(large('x', '1.0', 7), null)).toEqual({ new: row, version: 7, omitted });
    expect(told(change('D', large('x', '1.0', 7), null))[0]?.data).toEqual({ old: row, version: 7, omitted });
    expect(data(small, large('x', '1.0', 7))).toEqual({
      new: row,
      old: { note: 'a' },
      version: 7,
      changed: ['note'],
      omitted,
    });
    expect(data(large('x', '1.0', 5), small)).toEqual({
      new: { ...row, note: 'a', rev: 6 },
      old: {},
      version: 6,
      changed: ['note'],
    });
    expect(data(large('x', '1.0', 6), large('y', '2', 7))).toMatchObject({ changed: ['note', 'total'], omitted });
    expect(data(large('x', '1.0', 6), large('x', '2', 7))).toMatchObject({ changed: ['total'], omitted });
  });

  it('tell by its key and version a row that could not be written as an image, as if all else were changed', () => {
    const large = (rev: number) => `{"id": 1, "version": ${rev}, "$large": true}`;
    const rest = ['note', 'total'];
    const data = { new: { id: 1, rev: 2 }, old: {}, version: 2, changed: rest, omitted: rest };
    expect(told(change('U', large(1), large(2)))[0]?.data).toEqual(data);
  });

  it('stand on one line and lose nothing, whatever the row holds', () => {
    const line = fc.record({ region: fc.string({ unit: 'binary' }), feeling: fc.jsonValue(), number: fc.bigInt() });
    fc.assert(
      fc.property(line, line, ({ number, ...before }, after) => {
        const rows = [before, after].map(
          (row) => `{"number":${number},${JSON.stringify({ ...row, number: undefined, version: 1 }).slice(1)}`,
        );
        for (const body of toEventBodies(places, change('U', rows[0] ?? '', rows[1] ?? ''))) {
          expect(body).not.toMatch(/[\r\n]/);
          const { data } = decodeEventBody(body) as { data: { new?: { number: string; feeling: unknown } } };
          if (data.new === undefined) continue;
          expect(data.new.number).toBe(String(number));
          expect(data.new.feeling).toEqual(JSON.parse(JSON.stringify(after.feeling)));
        }
      }),
    );
  });

  it.each([
    ['a key column', '{"region":"x","version":1}', /places\.number/],
    ['the version', '{"region":"x","number":1}', /places\.version/],
  ])('cannot be made without %s, and the error names table and column', (_, image, message) => {
    expect(() => toEventBodies(places, change('I', null, image))).toThrow(TypeError);
    expect(() => toEventBodies(places, change('I', null, image))).toThrow(message);
  });

  it('cannot be made of a change without the row that it is about', () => {
    for (const operation of ['I', 'U', 'D'] as const)
      expect(() => toEventBodies(places, change(operation, null, null))).toThrow(/places/);
  });
});
