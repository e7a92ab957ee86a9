/** Lists: filtered, ordered, by pages, each with the cursor of the moment that it shows. */

import { formatCursor, viewEpoch } from '../protocol/cursor.ts';
import { type Filter, formatFilter } from '../protocol/filter.ts';
import type { Database, Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { becomeCaller, setWireForm } from './caller-session.ts';
import type { Collection } from './collection.ts';
import { isRefusedByPolicy } from './database-refusal.ts';
import { endOfLog } from './end-of-log.ts';
import { afterSql, Bindings, filterSql, misfit, orderSql, placeSql, readFilters, readOrder } from './list-sql.ts';
import { type Listed, type Refusal, Refused, refuse } from './outcome.ts';
import type { PageTokens, Place } from './page-token.ts';
import { type ImageRow, imageSql, readRow } from './record-sql.ts';
import type { RecordsOptions } from './records.ts';
import { canonicalFilters } from './row-filter.ts';
import { recordFilter } from './sees-record.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { TableFacts } from './table-facts.ts';
import { type Caller, fingerprint } from './visibility.ts';

export interface ListQuery {
  /** `<field>=<op>.<value>` each; all must hold. */
  readonly filters: readonly string[];
  /** `field.asc,other.desc`; by key unless said. */
  readonly order?: string | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  /** The `next` of the page before. */
  readonly page?: string | undefined;
}

export interface ListingParts extends Pick<RecordsOptions, 'database' | 'epochOf' | 'drained'> {
  readonly catalog: TableCatalog;
  readonly tokens: PageTokens;
}

/** The most rows that one page looks at where `scope()` decides, how many at a time, and the bytes after which a page is full. */
const MAX_LOOKED_AT = 10_000;
const STEP = 500;
const PAGE_BYTES = 4 * 1024 * 1024;

interface PlacedRow extends ImageRow {
  readonly place: string;
  /** How many rows there were, those beyond the page's bytes included. */
  readonly found: number;
}

export function createListing(
  parts: ListingParts,
): (collection: Collection, caller: Caller, query: ListQuery) => Promise<Listed | Refusal> {
  const { database, catalog, tokens, drained, epochOf } = parts;
  return async (collection, caller, query) => {
    const facts = await catalog.of(collection);
    try {
      const filters = await soundFilters(database, collection, facts, query.filters);
      const terms = readOrder(collection, query.order);
      // All that makes a place one: with other types, its texts could mean something else.
      const list = JSON.stringify([
        collection.name,
        filters.map(formatFilter),
        terms.map(({ column, descending }) => [column, descending, facts.columns.get(column)?.cast]),
      ]);
      const start = query.page === undefined ? undefined : await tokens.open(list, query.page);
      if (query.page !== undefined && start === undefined)
        throw refuse('invalid', undefined, [{ path: 'page', message: 'not a page of this list' }]);

      const step = (after: Place | undefined, limit: number) => {
        const bindings = new Bindings();
        const conditions = filters.map((filter) => filterSql(collection, facts, filter, bindings));
        if (after !== undefined) conditions.push(afterSql(terms, facts, after, bindings));
        const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
        const text = `
          SELECT image, place, found FROM (
            SELECT image, place, count(*) OVER () AS found,
                   sum(octet_length(image)) OVER (ROWS UNBOUNDED PRECEDING) - octet_length(image) AS bytes
            FROM (
              SELECT ${imageSql(collection)}, ${placeSql(terms)} AS place FROM ${collection.sqlName} t ${where}
              ORDER BY ${orderSql(terms)} LIMIT ${bindings.bindNumber(limit)}
            ) page
          ) running WHERE bytes < ${PAGE_BYTES}`;
        return { text, values: bindings.values };
      };
      const { records, last, seq, epoch } = await drained(async (transaction) => {
        const end = await endOfLog(transaction, collection.name);
        await setWireForm(transaction);
        await becomeCaller(transaction, collection.visibility, caller);
        const page = await collect(transaction, collection, caller, query.limit, start, step);
        const epoch = epochOf(collection.name, end.incarnation);
        // As the stream that goes on from here counts.
        return { ...page, seq: end.latest, epoch: viewEpoch(epoch, fingerprint(collection.visibility, caller)) };
      }, collection.name);
      const next = last === undefined ? undefined : await tokens.seal(list, last);
      return { kind: 'listed', records, cursor: formatCursor({ epoch, seq }), next };
    } catch (error) {
      if (error instanceof Refused && error.outcome.kind === 'refused') return error.outcome;
      const refusal = explain(collection, query, error);
      if (refusal !== undefined) return refusal;
      catalog.forget(collection);
      throw error;
    }
  };
}

/**
 * Values that do not fit their columns are found here, and not by the statement: what that evaluates depends on its plan.
 * @throws Refused `invalid-filter`
 */
async function soundFilters(
  database: Database,
  collection: Collection,
  facts: TableFacts,
  texts: readonly string[],
): Promise<readonly Filter[]> {
  const canonical = await canonicalFilters(database, collection, facts, readFilters(collection, texts));
  if (!canonical.ok) throw misfit(canonical.field);
  return canonical.filters;
}

/** Reads on until the page is full. `last` is where the next one begins, and `undefined` when there is none. */
async function collect(
  transaction: Transaction,
  collection: Collection,
  caller: Caller,
  limit: number,
  start: Place | undefined,
  step: (after: Place | undefined, limit: number) => { readonly text: string; readonly values: Bindings['values'] },
): Promise<{ readonly records: readonly string[]; readonly last: Place | undefined }> {
  const sees = recordFilter(collection.visibility, caller);
  const scoped = collection.visibility.kind === 'scope';
  // One more than asked for tells whether there is another page.
  const size = scoped ? Math.max(limit + 1, STEP) : limit + 1;
  const records: string[] = [];
  let after = start;
  let last = start;
  let bytes = 0;
  for (let lookedAt = 0; ; ) {
    const { text, values } = step(after, size);
    const rows = await transaction.query<PlacedRow>(text, values, { varies: true });
    for (const row of rows) {
      const place = JSON.parse(row.place) as Place;
      const { record } = readRow(collection, row);
      after = place;
      if (!sees(record)) {
        if (records.length < limit) last = place;
        continue;
      }
      if (records.length === limit || bytes >= PAGE_BYTES) return { records, last };
      records.push(record);
      bytes += record.length;
      last = place;
    }
    const found = rows[0]?.found ?? 0;
    lookedAt += rows.length;
    if (rows.length < found || (found === size && (lookedAt >= MAX_LOOKED_AT || !scoped))) return { records, last };
    if (found < size) return { records, last: undefined };
  }
}

/** What the caller did wrong, when it was the caller. Their values were found to be sound before. */
function explain({ visibility }: Collection, { filters, order }: ListQuery, error: unknown): Refusal | undefined {
  // A type without an order can neither be filtered nor ordered by.
  if (sqlState(error) === '42883' && (filters.length > 0 || order !== undefined))
    return { kind: 'refused', code: 'invalid-filter' };
  return isRefusedByPolicy(visibility, error) ? { kind: 'refused', code: 'forbidden' } : undefined;
}
