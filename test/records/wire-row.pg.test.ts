/** The wire form against Postgres itself: what is written in it is stored, and what is stored is read back in it. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { setWireForm } from '../../src/records/caller-session.ts';
import { collection } from '../../src/records/collection.ts';
import { keyOfImage, parseKey } from '../../src/records/record-key.ts';
import { rls } from '../../src/records/visibility.ts';
import { isSameValue } from '../../src/records/wire-equality.ts';
import { toColumns, toWire } from '../../src/records/wire-row.ts';
import type { Database } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { ORDERS_SQL, ordersTable } from './orders-table.ts';

const orders = collection('orders', { table: ordersTable, visibility: rls() });
const customerId = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
const server = await findPostgres();

/** Stores a record with the columns that it has, and answers the row's image. */
function store(database: Database, record: Readonly<Record<string, unknown>>): Promise<string> {
  const columns = orders.columns
    .filter(({ property }) => Object.hasOwn(record, property))
    .map(({ column }) => `"${column}"`)
    .join(', ');
  return database.transaction(async (transaction) => {
    await setWireForm(transaction);
    const [row] = await transaction.query<{ image: string }>(
      `insert into orders (${columns}) select ${columns} from jsonb_populate_record(null::orders, $1::text::jsonb)
       returning to_jsonb(orders)::text as image`,
      [toColumns(orders, record)],
    );
    return row?.image ?? '';
  });
}

describe.each(['PGlite', 'Postgres'])('a record on %s', (where) => {
  const isHere = where === 'PGlite' || server !== undefined;
  describe.skipIf(!isHere)('in wire form', async () => {
    const fresh = where === 'Postgres' && isHere ? await createDatabase() : undefined;
    const database = !isHere ? undefined : fresh ? await connectPostgres({ url: fresh.url }) : await openPglite();
    const db = database as Database;
    for (const statement of isHere ? ORDERS_SQL.split(';') : []) await db.query(statement);
    afterAll(async () => {
      await database?.close();
      await fresh?.drop();
    });

    it('is stored and read back with every digit, and the schemas take what was read', async () => {
      const record = {
        customerId,
        note: 'ü"\\\n😀',
        total: '9876543210.10',
        cents: '-9223372036854775808',
        weight: 0.1,
        small: 1.5,
        at: '2024-02-29T12:00:00.123456+00:00',
        local: '2024-02-29T12:00:00.5',
        day: '2024-02-29',
        tags: ['a,b', '"', 'null', ''],
        counts: ['9223372036854775807', '-1'],
        extra: { a: [1, { b: null }], ü: 'x' },
        bytes: '\\x00ff',
        state: 'paid',
      };
      const checked = orders.schemas.insert.parse(record) as Readonly<Record<string, unknown>>;
      const image = await store(db, checked);
      const wire = JSON.parse(toWire(orders, image)) as Record<string, unknown>;
      expect(wire).toMatchObject(record);
      expect(Object.keys(wire)).toEqual(orders.columns.map(({ property }) => property));
      expect(orders.schemas.record.parse(wire)).toEqual(wire);
      const { half, rev, ...writable } = wire;
      expect(orders.schemas.replace.parse(writable)).toEqual(writable);
      expect([half, rev]).toEqual([0, 1]);
      expect(parseKey(orders, keyOfImage(orders, image))).toEqual([String(wire['id'])]);
    });

    it('is read as null where the row has none', async () => {
      const wire = JSON.parse(toWire(orders, await store(db, { customerId })));
      expect(wire).toMatchObject({ note: null, cents: null, counts: null, extra: null, tags: [], total: '0.00' });
      expect(orders.schemas.record.parse(wire)).toEqual(wire);
    });

    it('is read also where JSON or RFC 3339 have no such value', async () => {
      const wire = JSON.parse(toWire(orders, await store(db, { customerId, at: 'infinity', day: '0044-03-15 BC' })));
      expect(wire).toMatchObject({ at: 'infinity', day: '0044-03-15 BC' });
      expect(orders.schemas.record.parse(wire)).toEqual(wire);
    });

    it('is stored whenever the schema takes it, and then means the same', async () => {
      const digits = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
      const text = fc.string({ unit: 'binary' });
      const instant = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') });
      const anything = fc.oneof(fc.jsonValue(), text, fc.constantFrom('\0', '\ud800', 'infinity', '1e400', '\\x0'));
      // What the table's own precision allows is left to Postgres, so `total` stays within it.
      const fields = {
        note: fc.oneof(text, anything),
        cents: fc.oneof(digits, fc.integer(), anything),
        total: fc.oneof(fc.integer({ min: -1e9, max: 1e9 }), fc.constantFrom('1.5', '-.5', '7.', null, 'x', '\0')),
        stock: fc.oneof(fc.integer({ min: -(2 ** 30), max: 2 ** 30 }), anything),
        weight: fc.oneof(fc.double({ min: 1e-300 }), anything),
        at: fc.oneof(
          instant.map((date) => date.toISOString()),
          anything,
        ),
        tags: fc.oneof(fc.array(text), anything),
        counts: fc.oneof(fc.array(digits), anything),
        extra: anything,
        bytes: fc.oneof(fc.constantFrom('\\xAB', '\\x'), anything),
      };
      await fc.assert(
        fc.asyncProperty(fc.record(fields, { requiredKeys: [] }), async (given) => {
          const taken = Object.entries(given).flatMap(([property, value]) => {
            const result = orders.schemas.patch.safeParse({ [property]: value });
            return result.success ? Object.entries(result.data) : [];
          });
          const record = { customerId, ...Object.fromEntries(taken) };
          const wire = JSON.parse(toWire(orders, await store(db, record))) as Record<string, unknown>;
          for (const [property, value] of taken) {
            const column = orders.byProperty.get(property);
            // The scale of the column rounds.
            if (column === undefined || property === 'total') continue;
            expect([property, wire[property]]).toEqual([
              property,
              expect.toSatisfy((now) => isSameValue(column, now, value)),
            ]);
          }
        }),
        { numRuns: 300 },
      );
    });
  });
});
