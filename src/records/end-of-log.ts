/** Where a collection's log ends, for snapshots that a stream goes on from. */
import type { Transaction } from '../store/postgres/database.ts';

/** The end of a topic's log as a transaction sees it. */
export async function endOfLog(
  transaction: Transaction,
  topic: string,
): Promise<{ readonly latest: number; readonly incarnation: number }> {
  const [row] = await transaction.query<{ readonly latest: number; readonly incarnation: number }>(
    'SELECT latest, incarnation FROM sluice.topics WHERE name = $1',
    [topic],
  );
  return row ?? { latest: 0, incarnation: 0 };
}
