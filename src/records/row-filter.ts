/**
 * Filters of a collection's stream: conditions on the fields of a row, judged on rows in wire form.
 *
 * A list is filtered by Postgres and a stream here, and both must mean the same. So a filter's values are first written as
 * Postgres would write them on the wire (`2024-01-01 00:00Z` becomes `2024-01-01T00:00:00+00:00`); after that, equal values are
 * equal texts.
 */
import { compareValues, compileFilters, type Filter } from '../protocol/filter.ts';
import type { Database } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { setWireForm } from './caller-session.ts';
import type { Collection } from './collection.ts';
import type { CollectionColumn } from './columns.ts';
import { textOfRaw } from './row-text.ts';
import type { TableFacts } from './table-facts.ts';
import { comparisonOf, isComparable } from './wire-order.ts';
import type { WireRecord } from './wire-types.ts';

export type CanonicalFilters =
  | { readonly ok: true; readonly filters: readonly Filter[] }
  /** Which field is at fault, for whoever asked. */
  | { readonly ok: false; readonly field: string; readonly reason: 'not-filterable' | 'value' };

/** Kinds whose values have one text, which is the one on the wire: no question to the database is needed. */
const PLAIN: Readonly<Partial<Record<CollectionColumn['kind'], RegExp>>> = {
  boolean: /^(?:true|false)$/,
  int2: /^(?:0|-?[1-9]\d{0,3})$/,
  int4: /^(?:0|-?[1-9]\d{0,8})$/,
  int8: /^(?:0|-?[1-9]\d{0,17})$/,
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

/** The types of these kinds, and of text, as a cast names them. */
const PLAIN_CASTS: ReadonlySet<string> = new Set(
  'boolean,smallint,integer,bigint,uuid,text,character varying'.split(','),
);

/**
 * Writes the values of filters as they stand on the wire.
 * @throws StoreUnavailable
 */
export async function canonicalFilters(
  database: Pick<Database, 'transaction'>,
  collection: Collection,
  facts: TableFacts,
  filters: readonly Filter[],
): Promise<CanonicalFilters> {
  const canonical: Filter[] = [];
  for (const filter of filters) {
    const field = filter.path.join('.');
    const column = collection.byProperty.get(field);
    if (column === undefined || !collection.filterable.has(field))
      return { ok: false, field, reason: 'not-filterable' };
    const fact = facts.columns.get(column.column);
    if (fact !== undefined && !isComparable(column, fact, filter.operator))
      return { ok: false, field, reason: 'not-filterable' };
    if (filter.operator === 'is') {
      canonical.push({ ...filter, path: [field] });
      continue;
    }
    // A domain may allow less than its type does.
    const isPlain = fact === undefined || PLAIN_CASTS.has(fact.cast);
    const isWritten = isPlain && filter.values.every((value) => isCanonical(column, value));
    const values = isWritten ? filter.values : fact && (await asOnWire(database, fact.cast, filter.values));
    if (values === undefined || !values.every((value) => isExact(column, value)))
      return { ok: false, field, reason: 'value' };
    canonical.push({ ...filter, path: [field], values });
  }
  return { ok: true, filters: canonical };
}

function isCanonical({ kind, sqlType }: CollectionColumn, value: string): boolean {
  if (value.includes('\0')) return false;
  return (kind === 'text' && /^(?:text|varchar)/.test(sqlType)) || PLAIN[kind]?.test(value) === true;
}

/** An integer that a double cannot tell from its neighbours would match those too. */
function isExact({ kind, quoted }: CollectionColumn, value: string): boolean {
  return kind !== 'int8' || quoted || Number.isSafeInteger(Number(value));
}

/** `undefined` when one of the values is none of the type. */
async function asOnWire(
  database: Pick<Database, 'transaction'>,
  cast: string,
  values: readonly string[],
): Promise<readonly string[] | undefined> {
  if (values.some((value) => value.includes('\0'))) return undefined;
  try {
    return await database.transaction(async (transaction) => {
      await setWireForm(transaction);
      const rows = await transaction.query<{ readonly raw: string }>(
        `SELECT to_jsonb(value::${cast})::text AS raw FROM unnest($1::text[]) WITH ORDINALITY AS given (value, place) ORDER BY place`,
        [values],
      );
      return rows.map(({ raw }) => textOfRaw(raw));
    });
  } catch (error) {
    // Class 22 is data exceptions: the text is no value of the type (PostgreSQL, appendix A).
    // So is a check of a domain.
    if (sqlState(error).startsWith('22') || sqlState(error) === '23514') return undefined;
    throw error;
  }
}

/**
 * Compiles canonical filters into a predicate over rows in wire form.
 *
 * A field that was omitted, because it is too large, is longer than any value of a filter: it is not null, and equal to none. No
 * comparison by order holds of it.
 */
export function compileRowFilters(
  { byProperty }: Collection,
  facts: TableFacts,
  filters: readonly Filter[],
): (row: WireRecord, omitted?: readonly string[]) => boolean {
  if (filters.length === 0) return () => true;
  const test = compileFilters(filters, ([field = '']) => {
    const column = byProperty.get(field);
    return column === undefined ? compareValues : comparisonOf(column, facts.columns.get(column.column)?.base);
  });
  return (row, omitted = []) =>
    test(omitted.length === 0 ? row : { ...Object.fromEntries(omitted.map((name) => [name, OMITTED])), ...row });
}

/** What is unlike every value that can be compared. */
const OMITTED = {};
