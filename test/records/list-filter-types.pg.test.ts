/** A filter means the same in a list, where Postgres judges it, and on a stream, where we do: for every type, and its odd values. */
import {
  bigint,
  char,
  customType,
  date,
  doublePrecision,
  inet,
  integer,
  numeric,
  pgTable,
  real,
  text,
  time,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFilter } from '../../src/protocol/filter.ts';
import { collection } from '../../src/records/collection.ts';
import { createRecords, type Records } from '../../src/records/records.ts';
import { canonicalFilters, compileRowFilters } from '../../src/records/row-filter.ts';
import { readTableFacts, type TableFacts } from '../../src/records/table-facts.ts';
import { everyRow } from '../../src/records/visibility.ts';
import type { WireRecord } from '../../src/records/wire-types.ts';
import type { Database } from '../../src/store/postgres/database.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';

const table = pgTable('kinds', {
  id: integer('id').primaryKey(),
  ch: char('ch', { length: 4 }),
  w: text('w'),
  ip: inet('ip'),
  f8: doublePrecision('f8'),
  f4: real('f4'),
  num: numeric('num'),
  numn: numeric('numn', { mode: 'number' }),
  d: date('d'),
  ts: timestamp('ts', { mode: 'string' }),
  tz: timestamp('tz', { mode: 'string', withTimezone: true }),
  tm: time('tm'),
  u: uuid('u'),
  n8: bigint('n8', { mode: 'number' }),
  by: customType<{ data: string }>({ dataType: () => 'bytea' })('by'),
  version: integer('version').notNull().default(1),
});

const VALUES: Readonly<Record<string, readonly string[]>> = {
  ch: ['ab', 'ab  ', 'abc', 'a', '', 'q'],
  w: ['', 'a', 'B', 'ä', '\ufffd', '\uff5e', '😀', '😀a', 'a b', '10', '9'],
  ip: ['10.0.0.0', '9.0.0.1', '10.0.0.0/8', '::1', '10.0.0.1/32'],
  f8: ['0', '-0', '1.5', '-1.5', '1e300', 'NaN', 'Infinity', '-Infinity', '10', '9'],
  f4: ['0', '0.1', '-1.5', '1e30', 'NaN', 'Infinity', '-Infinity'],
  num: ['0', '1.50', '1.5', '-1.5', '9007199254740993', 'NaN', '10', '9', '0.000'],
  numn: ['0', '1.50', '-1.5', '10', '9'],
  d: [
    '2024-01-01',
    '10000-01-01',
    '0044-03-15 BC',
    '0001-01-01',
    'infinity',
    '-infinity',
    '9999-12-31',
    '0044-03-16 BC',
  ],
  ts: [
    '2024-01-01 00:00',
    '2024-01-01 00:00:00.5',
    '2024-01-01 00:00:00.45',
    '10000-01-01 00:00',
    'infinity',
    '0001-01-01',
  ],
  tz: [
    '2024-01-01 00:00Z',
    '2024-01-01 01:00+01',
    '2024-01-01 00:00:00.5Z',
    '10000-01-01Z',
    '0044-03-15 00:00Z BC',
    '-infinity',
  ],
  tm: ['10:00', '09:59:59.5', '24:00', '10:00:00.45', '10:00:00.5'],
  u: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000'],
  n8: ['0', '-5', '10', '9', '9007199254740991', '-9007199254740991'],
  by: ['\\x', '\\x00', '\\x00ff', '\\xff'],
};
const TYPES: Readonly<Record<string, string>> = {
  ch: 'char(4)',
  w: 'text',
  ip: 'inet',
  f8: 'float8',
  f4: 'float4',
  num: 'numeric',
  numn: 'numeric',
  d: 'date',
  ts: 'timestamp',
  tz: 'timestamptz',
  tm: 'time',
  u: 'uuid',
  n8: 'int8',
  by: 'bytea',
};
const OPERATORS = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'];

describe.skipIf((await findPostgres()) === undefined)('a filter on a column of every type', () => {
  const kinds = collection('kinds', { table, visibility: everyRow(), filterable: Object.keys(VALUES) as never });
  const caller = { role: 'authenticated', sub: 'a', claims: {} };
  let made: TestDatabase;
  let database: Database;
  let records: Records;
  let facts: TableFacts;
  let rows: readonly WireRecord[];

  beforeAll(async () => {
    made = await createDatabase();
    database = await connectPostgres(made);
    await made.sql.unsafe(
      `CREATE TABLE kinds (id int PRIMARY KEY, ${Object.entries(TYPES)
        .map((column) => column.join(' '))
        .join(', ')}, version int NOT NULL DEFAULT 1)`,
    );
    let id = 0;
    for (const [column, values] of Object.entries(VALUES))
      for (const value of [...values, null]) {
        id += 1;
        await made.sql`INSERT INTO kinds (id, ${made.sql(column)}) VALUES (${id}, ${value}::text::${made.sql.unsafe(TYPES[column] ?? column)})`;
      }
    facts = (await readTableFacts(database, '"kinds"')) as TableFacts;
    records = createRecords({
      database,
      collections: [kinds],
      epochOf: () => 'aaaaaaaaaa',
      drained: (work) => database.transaction(work, { isolation: 'repeatable read' }),
      kick: () => undefined,
      secret: async () => new Uint8Array(32),
    });
    const listed = await records.list('kinds', caller, { filters: [], limit: 1000 });
    if (listed.kind !== 'listed') throw new Error(JSON.stringify(listed));
    rows = listed.records.map((record) => JSON.parse(record) as WireRecord);
    expect(rows).toHaveLength(id);
  });
  afterAll(async () => {
    await database.close();
    await made.drop();
  });

  /** The ids that a list and a stream choose; `undefined` where the filter is refused. */
  async function chosen(filter: string) {
    const listed = await records.list('kinds', caller, { filters: [filter], limit: 1000 });
    const canonical = await canonicalFilters(database, kinds as never, facts, [parseFilter(filter)!]);
    const matches = canonical.ok ? compileRowFilters(kinds as never, facts, canonical.filters) : undefined;
    return {
      list: listed.kind === 'listed' ? listed.records.map((record) => JSON.parse(record).id) : undefined,
      stream: matches && rows.filter((row) => matches(row)).map(({ id }) => id),
    };
  }

  it.each(Object.keys(VALUES))('chooses the same rows of a list and of a stream: %s', async (column) => {
    const values = VALUES[column] ?? [];
    const filters = [
      ...OPERATORS.flatMap((operator) => values.map((value) => `${column}=${operator}.${value}`)),
      `${column}=in.(${values
        .slice(0, 3)
        .map((value) => `"${value.replaceAll('\\', '\\\\')}"`)
        .join(',')})`,
      `${column}=is.null`,
      `${column}=is.not_null`,
    ];
    for (const filter of filters) {
      const { list, stream } = await chosen(filter);
      expect({ filter, chosen: stream }).toEqual({ filter, chosen: list });
      if (!/^ip=(?:gt|gte|lt|lte)\./.test(filter)) expect({ filter, list }).not.toEqual({ filter, list: undefined });
    }
  });

  it('is refused where it cannot mean the same: by order of addresses, and by integers that a double does not hold', async () => {
    expect(await chosen('ip=gt.10.0.0.0')).toEqual({ list: undefined, stream: undefined });
    expect(await chosen('n8=eq.9007199254740993')).toEqual({ list: undefined, stream: undefined });
  });
});
