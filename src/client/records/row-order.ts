/**
 * The order of a query's rows: as the server's `order` (protocol section 6.3), as far as it can be told without the types of the columns.
 *
 * Numbers compare as numbers. So do strings of digits, which is how decimals and 64-bit integers arrive, and integers however long they
 * are; they stand before all other strings, so that a field that mixes both has one order still. Other strings compare by code unit. Nulls
 * are the greatest of all, as in Postgres, and with them stands what has no order or no place yet: JSON, and temporary keys. What this cannot
 * know: that a text column holds digits as text, an enum's order, or the database's collation. {@link FieldOrders} says so where it
 * matters; else a row may stand in another place than in the server's list.
 */
import type { Row } from '../mutation.ts';
import { isTemporaryKey } from './record-key.ts';

/** How the strings of a field compare: by code unit even if they are digits, or by a function (of an `Intl.Collator`, say). */
export type FieldOrders = { readonly [field: string]: 'text' | ((a: string, b: string) => number) };

/** A value's place among those of its field. */
export type Place = number | bigint | string | null;

export interface RowOrder {
  placesOf(row: Row): readonly Place[];
  compare(a: readonly Place[], b: readonly Place[]): number;
}

/** @param order `field.asc,other.desc`; the key settles what is equal */
export function rowOrder(order: string | undefined, key: readonly string[], fields: FieldOrders = {}): RowOrder {
  const rules = [...(order ? order.split(',') : []), ...key].map((term) => {
    const field = term.replace(/\.(asc|desc)$/, '');
    const own = fields[field];
    const texts = typeof own === 'function' ? own : undefined;
    return { field, sign: term.endsWith('.desc') ? -1 : 1, isText: own !== undefined, texts };
  });
  return {
    placesOf: (row) => rules.map(({ field, isText }) => placeOf(row[field], isText)),
    compare: (a, b) =>
      rules.reduce(
        (difference, { sign, texts }, index) =>
          difference || comparePlaces(a[index] ?? null, b[index] ?? null, texts) * sign,
        0,
      ),
  };
}

/** @param isText whether digits are text */
export function placeOf(value: unknown = null, isText = false): Place {
  if (typeof value !== 'string') return typeof value === 'object' ? null : Number(value);
  if (isTemporaryKey(value)) return null;
  if (isText || !/^-?\d+(\.\d+)?$/.test(value)) return value;
  return /^.\d{15,}$/.test(value) ? BigInt(value) : Number(value);
}

/** Places of different ranks do not compare by their values. */
export function rankOf(place: Place): number {
  return place === null ? 2 : typeof place === 'string' ? 1 : 0;
}

export function comparePlaces(a: Place, b: Place, texts?: (a: string, b: string) => number): number {
  if (a === b || a === null || b === null || rankOf(a) !== rankOf(b)) return rankOf(a) - rankOf(b);
  if (texts && typeof a === 'string' && typeof b === 'string') return texts(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}
