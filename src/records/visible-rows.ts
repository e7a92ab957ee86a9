/** The rows of a collection that a caller of `rls()` can see at this moment, as Postgres itself decides. */
import type { Filter } from '../protocol/filter.ts';
import type { Transaction } from '../store/postgres/database.ts';
import { quoteName } from './collection.ts';
import { Bindings, filterSql } from './list-sql.ts';
import { keyOfImage } from './record-key.ts';
import { type ImageRow, imageSql } from './record-sql.ts';
import { splitObject } from './row-text.ts';
import type { StreamedCollection } from './streamed-collection.ts';
import { toWire } from './wire-row.ts';

export interface VisibleRow {
  readonly key: string;
  /** In wire form, JSON text. */
  readonly record: string;
  /** Equal for rows that are equal in the columns of the definition. */
  readonly token: string;
}

/**
 * Reads rows as the role that the transaction has (see `beginView`).
 *
 * @param keys only these, each as the texts of its columns; all unless given
 * @param limit the most rows
 * @throws the driver's error when the role may not read the table
 */
export async function readVisibleRows(
  transaction: Transaction,
  { collection, facts }: Pick<StreamedCollection, 'collection' | 'facts'>,
  { keys, limit }: { readonly keys?: readonly (readonly string[])[]; readonly limit: number },
): Promise<readonly VisibleRow[]> {
  const { sqlName, key } = collection;
  const image = `SELECT i.image, hashtextextended(i.image, 0)::text AS token FROM ${sqlName} t CROSS JOIN LATERAL (SELECT ${imageSql(collection)}) i`;
  // Postgres expects few elements of an array, and so asks the table's index for each; of JSON it would expect a hundred. It does so
  // before it asks the policies only if nothing is compared but finished values: a cast might tell of rows that they hide.
  const arrays = key.map((_, at) => `$${at + 2}::text[]`).join(', ');
  const names = key.map((_, at) => `k${at}`);
  const casts = key.map(({ column }, at) => `${names[at]}::${facts.columns.get(column)?.cast} AS ${names[at]}`);
  const same = key.map(({ column }, at) => `t.${quoteName(column)} = w.${names[at]}`);
  const rows =
    keys === undefined
      ? await transaction.query<TokenRow>(`${image} LIMIT $1`, [limit])
      : await transaction.query<TokenRow>(
          `WITH w AS MATERIALIZED (SELECT ${casts.join(', ')} FROM unnest(${arrays}) asked (${names.join(', ')}))
           ${image} JOIN w ON ${same.join(' AND ')} LIMIT $1`,
          [limit, ...key.map((_, at) => keys.map((parts) => parts[at] ?? ''))],
        );
  return rows.map(({ image: text, token }) => ({
    key: keyOfImage(collection, text),
    record: toWire(collection, text),
    token,
  }));
}

/** A row of which only as much is known as a view keeps of it. */
export interface RowToken {
  readonly key: string;
  readonly version: string;
  readonly token: string;
}

/**
 * Reads the tokens of all rows, as {@link readVisibleRows} would give them.
 *
 * @param filters canonical ones (see `canonicalFilters`): only rows for which all hold
 * @throws the driver's error when the role may not read the table
 */
export async function readRowTokens(
  transaction: Transaction,
  { collection, facts }: Pick<StreamedCollection, 'collection' | 'facts'>,
  { filters, limit }: { readonly filters: readonly Filter[]; readonly limit: number },
): Promise<readonly RowToken[]> {
  const { sqlName, key, version } = collection;
  const few = key.includes(version) ? key : [...key, version];
  const bindings = new Bindings();
  const most = bindings.bindNumber(limit);
  const conditions = filters.map((filter) => filterSql(collection, facts, filter, bindings));
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const rows = await transaction.query<TokenRow>(
    `SELECT (SELECT to_jsonb(s.*) FROM (SELECT ${few.map(({ column }) => `t.${quoteName(column)}`).join(', ')}) s)::text AS image,
       hashtextextended(i.image, 0)::text AS token
     FROM ${sqlName} t CROSS JOIN LATERAL (SELECT ${imageSql(collection)}) i ${where} LIMIT ${most}`,
    bindings.values,
    { varies: true },
  );
  return rows.map(({ image, token }) => {
    const members = splitObject(image);
    return { key: keyOfImage(collection, members), version: members.get(version.column) ?? '', token };
  });
}

interface TokenRow extends ImageRow {
  readonly token: string;
}
