import * as pg from 'drizzle-orm/pg-core';
import { pgTable } from 'drizzle-orm/pg-core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseJson } from '../../src/protocol/json.ts';
import { collection } from '../../src/records/collection.ts';
import { rls } from '../../src/records/visibility.ts';
import { ordersTable, placesTable } from './orders-table.ts';

const orders = collection('orders', { table: ordersTable, visibility: rls() });
const places = collection('places', { table: placesTable, visibility: rls() });
const customer = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';

/** What a schema makes of a JSON text as the edge parses it: JSON text again, or the paths that are at fault. */
function read(schema: z.ZodType, text: string): string | readonly string[] {
  const parsed = parseJson(text);
  if (!parsed.ok) throw new Error(`not JSON: ${text}`);
  const result = schema.safeParse(parsed.value);
  return result.success ? JSON.stringify(result.data) : result.error.issues.map(({ path }) => path.join('.'));
}

const insert = (fields: string) => read(orders.schemas.insert, `{"customerId":"${customer}",${fields}}`);
const field = (fields: string) => {
  const answer = insert(fields);
  return typeof answer === 'string' ? answer.replace(/^\{.*?"customerId":"[^"]*",?/, '{') : answer;
};

describe('what creates a record', () => {
  it('needs what has no default and is never null', () => {
    expect(read(orders.schemas.insert, '{}')).toEqual(['customerId']);
    expect(read(orders.schemas.insert, `{"customerId":"${customer}"}`)).toBe(`{"customerId":"${customer}"}`);
    expect(read(places.schemas.insert, '{}').toString().split(',').toSorted()).toEqual(['number', 'region']);
  });

  it.each([
    ['"rev":2', 'the version'],
    ['"half":2', 'a generated column'],
    ['"customer_id":"x"', "a column's name"],
    ['"__proto__":{"note":"x"}', 'a prototype'],
    ['"constructor":1', 'a name of the language'],
    ['"nothing":1', 'an unknown name'],
  ])('refuses %s: %s', (fields) => {
    expect(insert(fields)).toEqual(['']);
  });

  it.each([
    ['"cents":9223372036854775807', '{"cents":"9223372036854775807"}'],
    ['"cents":"-9223372036854775808"', '{"cents":"-9223372036854775808"}'],
    ['"cents":12', '{"cents":"12"}'],
    ['"cents":"007"', '{"cents":"7"}'],
    ['"total":12345678901234567890.12', '{"total":"12345678901234567890.12"}'],
    ['"total":1e-7', '{"total":"0.0000001"}'],
    ['"total":"-.5"', '{"total":"-.5"}'],
    ['"counts":[1,"2",9007199254740993]', '{"counts":["1","2","9007199254740993"]}'],
    ['"weight":0.1000000000000000055511151231257827', '{"weight":0.1}'],
    ['"stock":2147483647', '{"stock":2147483647}'],
    ['"note":"😀😀😀😀😀"', '{"note":"😀😀😀😀😀"}'],
    ['"extra":{"__proto__":1,"n":12345678901234567890}', '{"extra":{"__proto__":1,"n":12345678901234567890}}'],
    ['"extra":12345678901234567890', '{"extra":12345678901234567890}'],
    ['"at":"2024-02-29T12:00:00.123456+02:00"', '{"at":"2024-02-29T12:00:00.123456+02:00"}'],
    ['"at":"infinity"', '{"at":"infinity"}'],
    ['"local":"2024-02-29T12:00:00"', '{"local":"2024-02-29T12:00:00"}'],
    ['"day":null', '{"day":null}'],
    ['"total":"NaN"', '{"total":"NaN"}'],
    ['"tags":["a",null]', '{"tags":["a",null]}'],
    ['"counts":[["1",2],["3",null]]', '{"counts":[["1","2"],["3",null]]}'],
    ['"bytes":"\\\\xAB01"', '{"bytes":"\\\\xab01"}'],
    ['"bytes":"\\\\x"', '{"bytes":"\\\\x"}'],
  ])('takes %s in wire form', (fields, expected) => {
    expect(field(fields)).toBe(expected);
  });

  it.each([
    ['cents', '9223372036854775808'],
    ['cents', '1.5'],
    ['cents', '"x"'],
    ['cents', '1e400'],
    ['cents', `"${'9'.repeat(100_000)}"`],
    ['total', '"1e5"'],
    ['total', '1e99999'],
    ['total', 'null'],
    ['stock', '2147483648'],
    ['stock', '1.5'],
    ['stock', '"1"'],
    ['stock', '1e400'],
    ['small', '1e39'],
    ['weight', '1e400'],
    ['paid', '"true"'],
    ['state', '"gone"'],
    ['note', '"sixsix"'],
    ['note', '"\\u0000"'],
    ['note', '"\\ud800"'],
    ['customerId', '"x"'],
    ['at', '"2024-02-30T12:00:00Z"'],
    ['at', '"2024-02-28T12:00:00"'],
    ['at', '1700000000000'],
    ['local', '"yesterday"'],
    ['day', '"2023-02-29"'],
    ['extra', '{"a":["\\u0000"]}'],
    ['extra', '{"\\u0000":1}'],
    ['extra', '["\\udfff"]'],
    ['bytes', '"ab"'],
    ['bytes', '"\\\\xa"'],
    ['tags', '"a"'],
    ['tags', 'null'],
  ])('refuses %s: %.40s, and says where', (property, text) => {
    expect(insert(`"${property}":${text}`)).toEqual([property]);
  });

  it('says which element of an array is wrong', () => {
    expect(insert('"tags":["a","\\u0000",1]')).toEqual(['tags.1', 'tags.2']);
    expect(insert('"counts":["1","x"]')).toEqual(['counts.1']);
  });

  it.each(['[]', 'null', '"x"', '1', 'true'])('is no %s', (text) => {
    for (const schema of Object.values(orders.schemas)) expect(read(schema, text)).toEqual(['']);
  });

  it('gives types of other kinds as Postgres writes them', () => {
    const schema = places.schemas.insert;
    const key = '"region":"x","number":"1"';
    expect(read(schema, `{${key},"embedding":[1,2.5,3]}`)).toBe('{"region":"x","number":"1","embedding":"[1,2.5,3]"}');
    expect(read(schema, `{${key},"embedding":[1]}`)).toEqual(['embedding']);
    expect(read(schema, `{${key},"position":"(1,2)"}`)).toContain('(1,2)');
    expect(read(schema, `{${key},"feeling":{"any":1}}`)).toContain('{"any":1}');
    expect(read(schema, `{${key},"feeling":"\\u0000"}`)).toEqual(['feeling']);
  });

  it('bounds each integer by its type', () => {
    const integers = collection('integers', {
      table: pgTable('integers', {
        id: pg.bigserial({ mode: 'number' }).primaryKey(),
        two: pg.smallint(),
        big: pg.numeric({ mode: 'bigint' }),
        version: pg.integer().notNull(),
      }),
      visibility: rls(),
    });
    const schema = integers.schemas.insert;
    expect(read(schema, '{"two":-32768,"id":9007199254740991}')).toContain('-32768');
    expect(read(schema, '{"two":32768}')).toEqual(['two']);
    expect(read(schema, '{"id":9007199254740993}')).toEqual(['id']);
    expect(read(schema, '{"big":[1e3,1.5]}')).toEqual(['big']);
    expect(read(schema, '{"big":1e3,"two":1.0}')).toBe('{"two":1,"big":"1000"}');
    expect(read(schema, '{"big":1000000000000000000000001}')).toBe('{"big":"1000000000000000000000001"}');
    expect(read(schema, '{"big":100000000000000000000}')).toBe('{"big":"100000000000000000000"}');
  });
});

describe('what replaces a record', () => {
  it('is what creates one, where the key may be left out', () => {
    expect(read(places.schemas.replace, '{}')).toBe('{}');
    expect(read(places.schemas.replace, '{"region":"x"}')).toBe('{"region":"x"}');
    expect(read(orders.schemas.replace, '{}')).toEqual(['customerId']);
    expect(read(orders.schemas.replace, `{"customerId":"${customer}","rev":1}`)).toEqual(['']);
  });
});

describe('a patch', () => {
  it('may name any field but the key, the version and what is generated', () => {
    expect(read(orders.schemas.patch, '{}')).toBe('{}');
    expect(read(orders.schemas.patch, '{"note":null,"total":2}')).toBe('{"note":null,"total":"2"}');
    for (const property of ['id', 'rev', 'half']) expect(read(orders.schemas.patch, `{"${property}":1}`)).toEqual(['']);
    for (const property of ['region', 'number'])
      expect(read(places.schemas.patch, `{"${property}":"1"}`)).toEqual(['']);
    expect(read(orders.schemas.patch, '{"total":null}')).toEqual(['total']);
  });
});

describe('every schema', () => {
  it('can be told as JSON Schema', () => {
    for (const { schemas } of [orders, places]) {
      for (const [name, schema] of Object.entries(schemas)) {
        const told = z.toJSONSchema(schema, { io: name === 'record' ? 'output' : 'input' });
        expect(told).toMatchObject({ type: 'object', additionalProperties: false });
      }
    }
    expect(z.toJSONSchema(orders.schemas.insert, { io: 'input' })).toMatchObject({ required: ['customerId'] });
  });
});
