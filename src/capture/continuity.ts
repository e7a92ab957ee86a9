/** Whether a collection's log tells everything that happened to its table, without a hole. */
import type { Database } from '../store/postgres/database.ts';
import { renewTopic } from '../store/postgres/drop-topic.ts';

// Of several captures (the table's own and those that its visibility depends on) the youngest says from when on all is told.
const CLAIM = `
  INSERT INTO sluice.collections AS c (name, capture, since)
  SELECT $1::text, $2::int, max(since) FROM sluice.captures WHERE id = ANY ($3::int[])
  HAVING count(*) = cardinality($3::int[])
  ON CONFLICT (name) DO UPDATE SET capture = excluded.capture, since = excluded.since
    WHERE (c.capture, c.since) IS DISTINCT FROM (excluded.capture, excluded.since)
  RETURNING xmax <> 0 AS changed`;

/**
 * Begins a collection's log anew, where its table was captured by another capture before, or was not captured for a while: what
 * happened in between nobody was told, so all cursors of before are answered with a gap.
 *
 * @param own the capture of the collection's table, which is among `captures`
 * @returns whether the log was begun anew. Several nodes may ask at once: one of them does it. @throws StoreUnavailable
 */
export function keepContinuous(
  database: Database,
  topic: string,
  own: number,
  captures: readonly number[],
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    type Row = { readonly changed: boolean };
    const [row] = await transaction.query<Row>(CLAIM, [topic, own, captures]);
    if (row?.changed !== true) return false;
    await renewTopic(transaction, topic);
    return true;
  });
}
