/** The statements that read and write single rows of a collection's table, always under the name `t`. */

import type { Parameter, Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { type Collection, quoteName } from './collection.ts';
import type { CollectionColumn } from './columns.ts';
import { refuse } from './outcome.ts';
import { keyOfImage } from './record-key.ts';
import { splitObject } from './row-text.ts';
import type { TableFacts } from './table-facts.ts';
import { toWire } from './wire-row.ts';

/** A row as it stands in the table. */
export interface Row {
  readonly key: string;
  /** In wire form, JSON text. */
  readonly record: string;
  readonly version: string;
}

export interface ImageRow {
  readonly image: string;
}

/** The row as JSON text, with only the columns of the definition: the others may not be the caller's to read. */
export function imageSql({ columns }: Collection): string {
  const fields = columns.map((column) => fieldSql(column)).join(', ');
  // `r.*` and not `r`, which could be a column.
  return `(SELECT to_jsonb(r.*) FROM (SELECT ${fields}) r)::text AS image`;
}

/**
 * A column as it can stand in jsonb. A value of type `json` may be none: with the character U+0000, or a number beyond `numeric`. It is
 * given as its text then, in a string.
 */
function fieldSql({ column, sqlType }: CollectionColumn): string {
  const field = `t.${quoteName(column)}`;
  if (sqlType.toLowerCase() !== 'json') return field;
  const isUnfit = `${field}::text ~ '(^|[^\\\\])(\\\\\\\\)*\\\\u0000|[0-9][eE][+-]?[0-9]{4,}'`;
  return `CASE WHEN ${isUnfit} THEN to_json(${field}::text) ELSE ${field}::json END AS ${quoteName(column)}`;
}

export function readRow(collection: Collection, { image }: ImageRow): Row {
  const members = splitObject(image);
  return {
    key: keyOfImage(collection, members),
    record: toWire(collection, members),
    version: members.get(collection.version.column) ?? '',
  };
}

/** The condition that `t` is the row of a key whose parts are the parameters from `$first` on. */
export function keySql({ key }: Collection, facts: TableFacts, first: number): string {
  return key
    .map(({ column }, at) => `t.${quoteName(column)} = $${first + at}::text::${facts.columns.get(column)?.cast}`)
    .join(' AND ');
}

/** Whether the key columns' types can hold these texts. */
export async function canHold(
  database: Pick<Transaction, 'query'>,
  { key }: Collection,
  facts: TableFacts,
  parts: readonly string[],
): Promise<boolean> {
  const casts = key.map(({ column }, at) => `$${at + 1}::text::${facts.columns.get(column)?.cast} IS NOT NULL`);
  try {
    await database.query(`SELECT ${casts.join(' AND ')}`, parts, { varies: true });
    return true;
  } catch (error) {
    if (sqlState(error).startsWith('22')) return false;
    throw error;
  }
}

/** Reads one row. @param lock whether it shall stay as it is until the transaction ends */
export async function selectRow(
  transaction: Transaction,
  collection: Collection,
  facts: TableFacts,
  key: readonly string[],
  lock: boolean,
): Promise<Row | undefined> {
  const [row] = await transaction.query<ImageRow>(
    `SELECT ${imageSql(collection)} FROM ${collection.sqlName} t WHERE ${keySql(collection, facts, 1)}${
      lock ? ' FOR NO KEY UPDATE OF t' : ''
    }`,
    key,
  );
  return row && readRow(collection, row);
}

/**
 * Reads a row and holds it until the transaction ends; `undefined` when the caller sees none.
 * @throws Refused `forbidden` when the caller may see the row but not change it
 */
export async function lockRow(
  transaction: Transaction,
  collection: Collection,
  facts: TableFacts,
  key: readonly string[],
): Promise<Row | undefined> {
  const row = await selectRow(transaction, collection, facts, key, true);
  // Policies for reading and for changing are different ones, and a lock asks for both.
  if (row !== undefined || collection.visibility.kind !== 'rls') return row;
  if ((await selectRow(transaction, collection, facts, key, false)) !== undefined) throw refuse('forbidden');
  return undefined;
}

/**
 * Inserts rows that have a value for the same columns.
 *
 * @param columns names of columns
 * @param rows JSON text of an array, keyed by column
 */
export async function insertRows(
  transaction: Transaction,
  collection: Collection,
  columns: readonly string[],
  rows: string,
): Promise<readonly Row[]> {
  const { sqlName } = collection;
  const names = columns.map(quoteName);
  const source = `FROM jsonb_populate_recordset(NULL::${sqlName}, $1::text::jsonb) v`;
  const text =
    columns.length === 0
      ? // A row of nothing but defaults has no column that could be named.
        `INSERT INTO ${sqlName} AS t DEFAULT VALUES RETURNING ${imageSql(collection)}`
      : `INSERT INTO ${sqlName} AS t (${names.join(', ')}) SELECT ${names.map((name) => `v.${name}`).join(', ')} ${source}
         RETURNING ${imageSql(collection)}`;
  const inserted = await transaction.query<ImageRow>(text, columns.length === 0 ? [] : [rows], { varies: true });
  return inserted.map((row) => readRow(collection, row));
}

/**
 * Updates one row.
 *
 * @param set names of columns that get a value
 * @param reset names of columns that get their default
 * @param values JSON text of an object, keyed by column
 */
export async function updateRow(
  transaction: Transaction,
  collection: Collection,
  facts: TableFacts,
  key: readonly string[],
  {
    set,
    reset,
    values,
  }: { readonly set: readonly string[]; readonly reset: readonly string[]; readonly values: string },
): Promise<Row | undefined> {
  const assignments = [
    ...set.map((column) => `${quoteName(column)} = v.${quoteName(column)}`),
    ...reset.map((column) => `${quoteName(column)} = DEFAULT`),
  ];
  const source = set.length === 0 ? '' : ` FROM jsonb_populate_record(NULL::${collection.sqlName}, $1::text::jsonb) v`;
  const parameters: Parameter[] = set.length === 0 ? [...key] : [values, ...key];
  const [row] = await transaction.query<ImageRow>(
    `UPDATE ${collection.sqlName} t SET ${assignments.join(', ')}${source}
     WHERE ${keySql(collection, facts, parameters.length - key.length + 1)} RETURNING ${imageSql(collection)}`,
    parameters,
    { varies: true },
  );
  return row && readRow(collection, row);
}

/** Deletes one row, of one of these versions if any are said. */
export async function deleteRow(
  transaction: Transaction,
  collection: Collection,
  facts: TableFacts,
  key: readonly string[],
  versions: readonly string[] | undefined,
): Promise<Row | undefined> {
  const condition = `${keySql(collection, facts, 1)}${
    versions === undefined
      ? ''
      : ` AND t.${quoteName(collection.version.column)}::text = ANY ($${key.length + 1}::text[])`
  }`;
  const [row] = await transaction.query<ImageRow>(
    `DELETE FROM ${collection.sqlName} t WHERE ${condition} RETURNING ${imageSql(collection)}`,
    versions === undefined ? key : [...key, versions],
  );
  return row && readRow(collection, row);
}
