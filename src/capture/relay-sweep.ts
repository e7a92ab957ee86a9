/** Looks after changes in the outbox that no target asks for. */
import type { Database } from '../store/postgres/database.ts';

/** Changes that are counted at most. */
const COUNTED = 100_000;
/** Changes that are deleted in one statement. */
const STEP = 10_000;

const COUNT = `
  SELECT rest.capture, c.relation::text AS table, count(*)::int AS changes
  FROM (SELECT capture FROM sluice.changes WHERE capture <> ALL ($1::int[]) LIMIT ${COUNTED}) rest
  JOIN sluice.captures c ON c.id = rest.capture GROUP BY 1, 2`;

const FORGET = `
  DELETE FROM sluice.changes WHERE id IN (
    SELECT id FROM sluice.changes WHERE capture NOT IN (SELECT id FROM sluice.captures) LIMIT ${STEP}
  ) RETURNING 1`;

/**
 * Deletes changes of tables that are no longer captured, and says which captured tables' changes wait for a target.
 * @param captures those that have a target
 * @throws StoreUnavailable
 */
export async function sweepOutbox(
  database: Database,
  captures: readonly number[],
  log: { warn(fields: object, text: string): void },
): Promise<void> {
  type Row = { readonly capture: number; readonly table: string; readonly changes: number };
  let forgotten: readonly unknown[];
  do forgotten = await database.query(FORGET);
  while (forgotten.length === STEP);
  const rows = await database.query<Row>(COUNT, [captures]);
  for (const { capture, table, changes } of rows)
    log.warn({ capture, table, changes }, 'changes of a captured table wait, and no collection takes them');
}
