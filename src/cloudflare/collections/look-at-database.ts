/** A look at the database, as small as can be: whether there is anything to do. */
import type { Database } from '../../store/postgres/database.ts';

const LOOK = `
  SELECT EXISTS (SELECT FROM sluice.changes) AS waiting,
         coalesce((SELECT string_agg(concat_ws(' ', incarnation, latest, name), ',' ORDER BY name)
                   FROM sluice.topics WHERE name = ANY ($1::text[])), '') AS ends`;

export interface Look {
  /** Whether changes wait to be moved into the logs. */
  readonly waiting: boolean;
  /** The ends of the logs, as a text that differs when they do. */
  readonly ends: string;
}

/** @param topics whose logs matter. @throws StoreUnavailable */
export async function lookAtDatabase({ query }: Pick<Database, 'query'>, topics: readonly string[]): Promise<Look> {
  const [look] = await query<Look>(LOOK, [topics]);
  if (look === undefined) throw new Error('a question without a row for an answer');
  return look;
}
