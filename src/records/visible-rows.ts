/** The rows of a collection that a caller of `rls()` can see at this moment, as Postgres itself decides. */
import type { Filter } from '../protocol/filter.ts';
import type { Transaction } from '../store/postgres/database.ts';
import { type Collection, quoteName } from './collection.ts';
import { Bindings, filterSql } from './list-sql.ts';
import { keyOfImage, parseKey } from './record-key.ts';
import { type ImageRow, imageSql } from './record-sql.ts';
import type { StreamedCollection } from './record-streams.ts';
import { splitObject } from './row-text.ts';
import { toWire } from './wire-row.ts';

export interface VisibleRow {
  readonly key: string;
  /** In wire form, JSON text. */
  readonly record: string;
  /** Equal for rows that are equal in the columns of the definition. */
  readonly token: string;
}

/** A row's key as JSON text of an object keyed by column, as `jsonb_populate_record` takes it. */
export type KeyColumns = string;

/**
 * Reads rows as the role that the transaction has (see `beginView`).
 *
 * @param keys only these; all unless given
 * @param limit the most rows
 * @throws the driver's error when the role may not read the table
 */
export async function readVisibleRows(
  transaction: Transaction,
  collection: Collection,
  { keys, limit }: { readonly keys?: readonly KeyColumns[]; readonly limit: number },
): Promise<readonly VisibleRow[]> {
  const { sqlName, key } = collection;
  const image = `SELECT i.image, hashtextextended(i.image, 0)::text AS token FROM ${sqlName} t CROSS JOIN LATERAL (SELECT ${imageSql(collection)}) i`;
  const same = key.map(({ column }) => `t.${quoteName(column)} = w.${quoteName(column)}`).join(' AND ');
  const rows =
    keys === undefined
      ? await transaction.query<TokenRow>(`${image} LIMIT $1`, [limit])
      : await transaction.query<TokenRow>(
          `${image} JOIN jsonb_populate_recordset(NULL::${sqlName}, $1::text::jsonb) w ON ${same} LIMIT $2`,
          [`[${keys.join(',')}]`, limit],
        );
  return rows.map(({ image: text, token }) => ({
    key: keyOfImage(collection, text),
    record: toWire(collection, text),
    token,
  }));
}

/** A key as `jsonb_populate_recordset` takes it: every part as text, which Postgres reads as the column's type. */
export function keyColumns(collection: Collection, key: string): KeyColumns | undefined {
  const parts = parseKey(collection, key);
  if (parts === undefined) return undefined;
  return JSON.stringify(Object.fromEntries(collection.key.map(({ column }, index) => [column, parts[index]])));
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
