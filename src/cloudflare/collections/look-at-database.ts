/** A look at the database, as small as can be: whether there is anything to do. */
import { wantedCaptures } from '../../records/capture-targets.ts';
import type { Collection } from '../../records/collection.ts';
import type { Database } from '../../store/postgres/database.ts';

const LOOK = `
  SELECT EXISTS (
           SELECT FROM sluice.changes WHERE capture IN (
             SELECT id FROM sluice.captures WHERE relation IN (SELECT to_regclass(name) FROM unnest($2::text[]) wanted (name)))
         ) AS waiting,
         coalesce((SELECT string_agg(concat_ws(' ', incarnation, latest, name), ',' ORDER BY name)
                   FROM sluice.topics WHERE name = ANY ($1::text[])), '') AS ends`;

export interface Look {
  /** Whether changes of their tables wait to be moved into the logs. */
  readonly waiting: boolean;
  /** The ends of the logs, as a text that differs when they do. */
  readonly ends: string;
}

/** @throws StoreUnavailable */
export async function lookAtDatabase(
  { query }: Pick<Database, 'query'>,
  collections: readonly Collection[],
): Promise<Look> {
  const tables = new Set(wantedCaptures(collections).map(({ table }) => table));
  const [look] = await query<Look>(LOOK, [collections.map(({ name }) => name), [...tables]]);
  if (look === undefined) throw new Error('a question without a row for an answer');
  return look;
}
