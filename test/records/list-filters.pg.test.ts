/** A list is filtered by Postgres and a stream by us: both must choose the same rows. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Filter, formatFilter, parseFilter } from '../../src/protocol/filter.ts';
import { createRecords, type Records } from '../../src/records/records.ts';
import { canonicalFilters, compileRowFilters } from '../../src/records/row-filter.ts';
import { readTableFacts, type TableFacts } from '../../src/records/table-facts.ts';
import type { WireRecord } from '../../src/records/wire-types.ts';
import type { Database } from '../../src/store/postgres/database.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { COLLECTIONS, createTables } from '../http/collections/tables.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { chooseSeed } from '../support/random.ts';

const seed = chooseSeed();
const orders = COLLECTIONS[0];
const caller = { role: 'authenticated', sub: 'a', claims: {} };

const digits = fc.constantFrom(
  '0',
  '1',
  '-1',
  '9',
  '10',
  '2.5',
  '1e1',
  '007',
  '9007199254740993',
  '99999999999',
  ' 5',
  'x',
  '',
);
const words = fc.constantFrom('', 'a', 'B', 'b', 'ä', 'z', 'Z', 'ab', 'a b', '10', '9', 'null', '😀', 'open', 'paid');
const times = fc.constantFrom(
  '2024-01-01',
  '2024-01-01T00:00:00Z',
  '2024-01-01T02:00:00.5+02:00',
  '2024-06-01 12:00',
  'noon',
);
const values: Readonly<Record<string, fc.Arbitrary<string>>> = {
  id: digits,
  stock: digits,
  doubled: digits,
  total: digits,
  big: digits,
  note: words,
  status: words,
  slug: words,
  mood: fc.constantFrom('low', 'fair', 'high', 'sad'),
  urgent: fc.constantFrom('true', 'false', 't', 'no', 'x'),
  placedAt: times,
};
const filter = fc.constantFrom(...Object.keys(values)).chain((field) =>
  fc.oneof(
    fc
      .tuple(fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte'), values[field] as fc.Arbitrary<string>)
      .map(([operator, value]) => ({ path: [field], operator, values: [value] }) as Filter),
    fc
      .array(values[field] as fc.Arbitrary<string>, { minLength: 1, maxLength: 3 })
      .map((list) => ({ path: [field], operator: 'in', values: list }) as Filter),
    fc
      .constantFrom('null', 'not_null', 'true', 'false')
      .map((value) => ({ path: [field], operator: 'is', values: [value] }) as Filter),
  ),
);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const row = fc.record({
  stock: maybe(fc.constantFrom(0, 1, -1, 9, 10, 2_000_000)),
  total: maybe(fc.constantFrom('0', '2.5', '10.00', '9.99', '-1')),
  big: maybe(fc.constantFrom('0', '10', '9', '-1', '9007199254740993', '9007199254740992', '99999999999')),
  note: maybe(words),
  slug: maybe(words),
  status: maybe(fc.constantFrom('open', 'paid', 'void')),
  mood: maybe(fc.constantFrom('low', 'fair', 'high')),
  urgent: maybe(fc.boolean()),
  placedAt: maybe(fc.constantFrom('2024-01-01T00:00:00Z', '2024-01-01T00:00:00.5Z', '2024-06-01T12:00:00Z')),
});

describe.skipIf((await findPostgres()) === undefined)('the filters of a list', () => {
  let made: TestDatabase;
  let database: Database;
  let records: Records;
  let facts: TableFacts;

  beforeAll(async () => {
    made = await createDatabase();
    database = await connectPostgres(made);
    await createTables(database);
    facts = (await readTableFacts(database, '"orders"')) as TableFacts;
    records = createRecords({
      database,
      collections: COLLECTIONS,
      epochOf: () => 'aaaaaaaaaa',
      drained: (work) => database.transaction(work, { isolation: 'repeatable read' }),
      kick: () => undefined,
      secret: async () => new Uint8Array(32),
    });
    const value: unknown = JSON.parse(JSON.stringify(fc.sample(row, { seed, numRuns: 60 })));
    expect((await records.create('orders', { caller, value })).kind).toBe('written');
  });
  afterAll(async () => {
    await database.close();
    await made.drop();
  });

  it('choose the rows that the filters of a stream do', async () => {
    const whole = await records.list('orders', caller, { filters: [], limit: 1000 });
    if (whole.kind !== 'listed' || orders === undefined) throw new Error('nothing to choose from');
    const rows = whole.records.map((record) => JSON.parse(record) as WireRecord);
    expect(rows).toHaveLength(60);
    await fc.assert(
      fc.asyncProperty(fc.array(filter, { minLength: 1, maxLength: 2 }), async (filters) => {
        const texts = filters.map(formatFilter);
        const parsed = texts.map((text) => parseFilter(text));
        fc.pre(parsed.every((each) => each !== undefined));
        const listed = await records.list('orders', caller, { filters: texts, limit: 1000 });
        const canonical = await canonicalFilters(database, orders as never, facts, filters);
        expect(listed.kind === 'listed', texts.join(' ')).toBe(canonical.ok);
        if (listed.kind !== 'listed' || !canonical.ok) return;
        const holds = compileRowFilters(orders as never, facts, canonical.filters);
        const expected = rows.filter((row) => holds(row)).map(({ id }) => id);
        expect(
          listed.records.map((record) => JSON.parse(record).id),
          `seed ${seed}: ${texts.join(' ')}`,
        ).toEqual(expected);
      }),
      { seed, numRuns: 600 },
    );
  });
});
