/** What is captured. */
import type { Database } from '../store/postgres/database.ts';
import { type Capture, readCaptures } from './captures.ts';

export interface ListedCapture extends Capture {
  /** How many changes wait to be moved into the log. */
  readonly waiting: number;
}

/** Every capture in the order in which they were added. @throws StoreUnavailable when the database cannot be reached */
export function listCaptures(database: Pick<Database, 'transaction'>): Promise<readonly ListedCapture[]> {
  return database.transaction(
    async (transaction) => {
      const captures = await readCaptures(transaction);
      const counts = await transaction.query<{ readonly capture: number; readonly count: number }>(
        'SELECT capture, count(*) AS count FROM sluice.changes GROUP BY capture',
      );
      const waiting = new Map(counts.map(({ capture, count }) => [capture, count]));
      return captures.map((capture) => ({ ...capture, waiting: waiting.get(capture.id) ?? 0 }));
    },
    { isolation: 'repeatable read' },
  );
}
