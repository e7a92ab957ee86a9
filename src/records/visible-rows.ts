/** The rows of a collection that a caller of `rls()` can see at this moment, as Postgres itself decides. */
import type { Transaction } from '../store/postgres/database.ts';
import { type Collection, quoteName } from './collection.ts';
import { keyOfImage } from './record-key.ts';
import { toWire } from './wire-row.ts';

export interface VisibleRow {
  readonly key: string;
  /** In wire form, JSON text. */
  readonly record: string;
  /** Equal only for the same row as the same transaction wrote it: a row that was deleted and comes back equal is another. */
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
  const image = `SELECT to_jsonb(t)::text AS image, concat(t.xmin, '/', hashtextextended(to_jsonb(t)::text, 0)) AS token FROM ${sqlName} t`;
  const same = key.map(({ column }) => `t.${quoteName(column)} = w.${quoteName(column)}`).join(' AND ');
  const rows =
    keys === undefined
      ? await transaction.query<ImageRow>(`${image} LIMIT $1`, [limit])
      : await transaction.query<ImageRow>(
          `${image} JOIN jsonb_populate_recordset(NULL::${sqlName}, $1::text::jsonb) w ON ${same} LIMIT $2`,
          [`[${keys.join(',')}]`, limit],
        );
  return rows.map(({ image: text, token }) => ({
    key: keyOfImage(collection, text),
    record: toWire(collection, text),
    token,
  }));
}

interface ImageRow {
  readonly image: string;
  readonly token: string;
}
