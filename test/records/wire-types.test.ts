/** Held by the compiler; the run only shows that the values exist. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import type { Json } from '../../src/protocol/event.ts';
import { type Collection, collection } from '../../src/records/collection.ts';
import { everyRow, rls, scope } from '../../src/records/visibility.ts';
import type { InsertOf, PatchOf, RecordOf, ReplaceOf } from '../../src/records/wire-types.ts';
import { ordersTable, placesTable } from './orders-table.ts';

type Order = RecordOf<typeof ordersTable>;
type NewOrder = InsertOf<typeof ordersTable>;
type OrderPatch = PatchOf<typeof ordersTable>;

describe('the types of a collection', () => {
  it('tell a record as it stands on the wire', () => {
    expectTypeOf<Order['id']>().toEqualTypeOf<number>();
    expectTypeOf<Order['note']>().toEqualTypeOf<string | null>();
    expectTypeOf<Order['total']>().toEqualTypeOf<string>();
    expectTypeOf<Order['cents']>().toEqualTypeOf<string | null>();
    expectTypeOf<Order['at']>().toEqualTypeOf<string>();
    expectTypeOf<Order['local']>().toEqualTypeOf<string | null>();
    expectTypeOf<Order['state']>().toEqualTypeOf<'open' | 'paid'>();
    expectTypeOf<Order['tags']>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<Order['counts']>().toEqualTypeOf<readonly string[] | null>();
    expectTypeOf<Order['extra']>().toEqualTypeOf<{ readonly color?: string } | null>();
    expectTypeOf<Order['bytes']>().toEqualTypeOf<string | null>();
    expectTypeOf<Order['half']>().toEqualTypeOf<number | null>();
    type Place = RecordOf<typeof placesTable>;
    expectTypeOf<Place['position']>().toEqualTypeOf<string | null>();
    expectTypeOf<Place['embedding']>().toEqualTypeOf<string | null>();
    expectTypeOf<Place['feeling']>().toEqualTypeOf<Json>();
  });

  it('ask of a new record what has no default, and take what may be written', () => {
    expectTypeOf<{ customerId: string }>().toExtend<NewOrder>();
    expectTypeOf<{ note: string }>().not.toExtend<NewOrder>();
    expectTypeOf<NewOrder['total']>().toEqualTypeOf<string | number | undefined>();
    expectTypeOf<NewOrder['id']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Extract<keyof NewOrder, 'rev' | 'half'>>().toBeNever();
    expectTypeOf<Extract<keyof OrderPatch, 'id' | 'half'>>().toBeNever();
    expectTypeOf<OrderPatch['note']>().toEqualTypeOf<string | null | undefined>();
    expectTypeOf<OrderPatch['stock']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<{ customerId: string }>().toExtend<ReplaceOf<typeof ordersTable>>();
  });

  it('know the fields in options', () => {
    const orders = collection('orders', {
      table: ordersTable,
      key: 'id',
      merge: {
        stock: 'add',
        total: 'add',
        cents: 'add',
        tags: 'union',
        note: 'client',
        weight: ({ base, current, mine }) => {
          expectTypeOf(base).toEqualTypeOf<number | null>();
          return current ?? mine;
        },
      },
      filterable: ['state', 'customerId'],
      visibility: scope((claims, row: Order) => row.customerId === claims['sub']),
    });
    expectTypeOf<z.output<typeof orders.schemas.record>>().toEqualTypeOf<Order>();
    expectTypeOf<z.output<typeof orders.schemas.insert>>().toEqualTypeOf<NewOrder>();
    expectTypeOf(orders).toExtend<Collection>();
    const any: readonly Collection[] = [orders, collection('places', { table: placesTable, visibility: rls() })];
    expect(any).toHaveLength(2);
  });

  it('let a scope leave the row untyped, and refuse one for the rows of another table', () => {
    const untyped = scope((claims, row) => {
      expectTypeOf(row).toEqualTypeOf<Readonly<Record<string, unknown>>>();
      return row['customerId'] === claims['sub'];
    });
    expect(collection('orders', { table: ordersTable, visibility: untyped }).visibility.kind).toBe('scope');
    const ofPlaces = scope((_, row: RecordOf<typeof placesTable>) => row.region === 'here');
    // @ts-expect-error its rows are no orders
    expect(collection('orders', { table: ordersTable, visibility: ofPlaces }).visibility.kind).toBe('scope');
  });

  it('refuse what is no field, or no policy for it', () => {
    const visibility = everyRow();
    const wrong = [
      // @ts-expect-error no such property
      () => collection('orders', { table: ordersTable, visibility, key: 'nothing' }),
      // @ts-expect-error a column's name is not a property's
      () => collection('orders', { table: ordersTable, visibility, filterable: ['customer_id'] }),
      // @ts-expect-error no number
      () => collection('orders', { table: ordersTable, visibility, merge: { note: 'add' } }),
      // @ts-expect-error no array
      () => collection('orders', { table: ordersTable, visibility, merge: { stock: 'union' } }),
      // @ts-expect-error no default for what is seen
      () => collection('orders', { table: ordersTable }),
    ];
    for (const define of wrong) expect(define).toThrow(TypeError);
  });
});
