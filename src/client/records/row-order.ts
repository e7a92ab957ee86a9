/**
 * The order of a query's rows: as the server's `order` (protocol section 6.3), as far as it can be told without the types of the columns.
 *
 * Numbers compare as numbers. So do strings of digits, which is how decimals and 64-bit integers arrive, however long they are;
 * they stand before all other strings, so that a field that mixes both has one order still. Other strings compare by code unit. Nulls are
 * the greatest of all, as in Postgres. What this cannot know: that a text column holds digits as text, an enum's order, or the database's
 * collation. {@link FieldOrders} says so where it matters; else a row may stand in another place than in the server's list.
 */
import type { Row } from '../mutation.ts';

/** How the strings of a field compare: by code unit even if they are digits, or by a function (of an `Intl.Collator`, say). */
export type FieldOrders = { readonly [field: string]: 'text' | ((a: string, b: string) => number) };

/** A value's place among those of its field. */
export interface Place {
  readonly rank: number;
  readonly number: number;
  readonly text: string;
}

export interface RowOrder {
  /** @param newness of a row without a key: such rows stand behind the others that are equal, the oldest first */
  placesOf(row: Row, newness?: number): readonly Place[];
  compare(a: readonly Place[], b: readonly Place[]): number;
}

/** @param order `field.asc,other.desc`; the key settles what is equal */
export function rowOrder(order: string | undefined, key: readonly string[], fields: FieldOrders = {}): RowOrder {
  const terms = (order ? order.split(',') : []).map((part) => {
    const dot = part.lastIndexOf('.');
    return dot === -1 ? { field: part, sign: 1 } : { field: part.slice(0, dot), sign: part.endsWith('.desc') ? -1 : 1 };
  });
  for (const field of key) if (!terms.some((term) => term.field === field)) terms.push({ field, sign: 1 });
  const rules = terms.map(({ field, sign }) => ({ field, sign, own: fields[field], isKey: key.includes(field) }));
  return {
    placesOf: (row, newness) =>
      rules.map(({ field, own, isKey }) =>
        isKey && newness !== undefined
          ? { rank: 5, number: newness, text: '' }
          : placeOf(row[field], own !== undefined),
      ),
    compare(a, b) {
      for (const [index, { sign, own }] of rules.entries()) {
        const [left, right] = [a[index], b[index]];
        if (left === undefined || right === undefined) continue;
        const difference = comparePlaces(left, right, typeof own === 'function' ? own : compareTexts);
        if (difference !== 0) return difference * sign;
      }
      return 0;
    },
  };
}

const DIGITS = /^-?\d+(\.\d+)?$/;
const NUMBER = 1;

/** @param isText whether digits are text */
export function placeOf(value: unknown, isText = false): Place {
  switch (typeof value) {
    case 'boolean':
      return { rank: 0, number: Number(value), text: '' };
    case 'number':
      return { rank: NUMBER, number: value, text: String(value) };
    case 'string':
      return !isText && DIGITS.test(value)
        ? { rank: NUMBER, number: Number(value), text: value }
        : { rank: 2, number: 0, text: value };
    default:
      // JSON has no order; nulls come last.
      return { rank: value === null || value === undefined ? 4 : 3, number: 0, text: '' };
  }
}

export function comparePlaces(a: Place, b: Place, texts = compareTexts): number {
  if (a.rank !== b.rank) return a.rank - b.rank;
  if (a.number !== b.number) return a.number - b.number;
  return a.text === b.text ? 0 : a.rank === NUMBER ? compareDigits(a.text, b.text) : texts(a.text, b.text);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Of numbers that a double cannot tell apart. Those of a column have as many digits after the point. */
function compareDigits(a: string, b: string): number {
  return (a.length - b.length || compareTexts(a, b)) * (a.startsWith('-') ? -1 : 1);
}
