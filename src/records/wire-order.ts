/**
 * The order of values on the wire, as Postgres orders the values that they stand for: so that a filter of a stream, which is judged
 * here, means what the same filter of a list does.
 */
import { type Comparison, compareValues, type FilterOperator } from '../protocol/filter.ts';
import type { CollectionColumn } from './columns.ts';
import { compareDecimals, normalDecimal } from './compare-decimals.ts';
import type { ColumnFacts } from './table-facts.ts';

/** How the values of a column compare with the canonical text of a filter. @param base the type's own name, where it is known */
export function comparisonOf({ kind, quoted }: CollectionColumn, base: string | undefined): Comparison {
  if (quoted) return compareTexts(compareNumerals);
  switch (kind) {
    case 'float4':
    case 'float8':
    case 'numeric':
      return compareFloats;
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return compareTexts(compareTimes);
    case 'boolean':
    case 'int2':
    case 'int4':
    case 'int8':
      return compareValues;
    default:
      return base === 'bpchar'
        ? compareTexts((a, b) => compareCodePoints(withoutPadding(a), withoutPadding(b)))
        : compareTexts(compareCodePoints);
  }
}

/** One text for all values that are equal, to find them by. */
export function equalityText({ quoted }: CollectionColumn, base: string | undefined): (value: string) => string {
  if (quoted) return normalDecimal;
  return base === 'bpchar' ? withoutPadding : (value) => value;
}

/** Types whose equal values have several texts (`1 day` and `24:00:00`), which only Postgres can compare. */
const INEXACT: ReadonlySet<string> = new Set(['citext', 'interval', 'timetz', 'xml', 'json', 'jsonb', 'hstore']);
/** Types whose order is that of their texts, besides those that {@link comparisonOf} knows. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar', 'bpchar', 'name', 'uuid', 'time', 'bytea']);
const ORDERING: ReadonlySet<FilterOperator> = new Set(['gt', 'gte', 'lt', 'lte']);

/** Whether a filter with this operator means the same here as in Postgres. */
export function isComparable({ kind }: CollectionColumn, fact: ColumnFacts, operator: FilterOperator): boolean {
  if (operator === 'is') return true;
  if (INEXACT.has(fact.base)) return false;
  if (!ORDERING.has(operator)) return true;
  const isText = kind === 'text' || kind === 'other' || kind === 'enum' || kind === 'time';
  return !isText || fact.isEnum || TEXTS.has(fact.base);
}

function compareTexts(compare: (a: string, b: string) => number): Comparison {
  return (value, text) => (typeof value === 'string' ? compare(value, text) : undefined);
}

/** Postgres's own order of what is no number: below all, above all, and above even that. */
const SPECIAL: Readonly<Record<string, number>> = { '-Infinity': -1, Infinity: 1, NaN: 2 };

function compareNumerals(a: string, b: string): number {
  const [left = 0, right = 0] = [SPECIAL[a], SPECIAL[b]];
  return left === 0 && right === 0 ? (compareDecimals(a, b) ?? compareCodePoints(a, b)) : left - right;
}

const compareFloats: Comparison = (value, text) => {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const [left = 0, right = 0] = [SPECIAL[value], SPECIAL[text]];
  return left === 0 && right === 0 ? Number(value) - Number(text) : left - right;
};

/** A date or time in ISO 8601, its year of any length, and ` BC` behind it where it is so old. */
const TIME = /^(\d+)(.*?)( BC)?$/;

function compareTimes(a: string, b: string): number {
  const [left, right] = [TIME.exec(a), TIME.exec(b)];
  const rank = (text: string) => (text === '-infinity' ? -1 : text === 'infinity' ? 1 : 0);
  if (left === null || right === null) return rank(a) - rank(b);
  const year = ([, digits, , before]: RegExpExecArray) => (before === undefined ? Number(digits) : 1 - Number(digits));
  return year(left) - year(right) || compareCodePoints(left[2] ?? '', right[2] ?? '');
}

/** By code point, as `COLLATE "C"` in UTF-8: code units would put what lies beyond 16 bits before U+E000. */
export function compareCodePoints(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return rankOf(left) - rankOf(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for what is above all else. */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function withoutPadding(text: string): string {
  return text.replace(/ +$/, '');
}
