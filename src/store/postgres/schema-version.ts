/**
 * How new the schema is. The migrations in `drizzle/` are applied by drizzle's migrator, which is loaded only when there is something to
 * apply: loading it takes longer than all the rest of a start.
 */
import type { Database } from './database.ts';

/** The newest migration: its time in `drizzle/meta/_journal.json`. */
export const NEWEST_MIGRATION = 1795656902713;

/** Whether every migration was applied. A schema that is newer than this code counts as up to date. */
export async function isUpToDate(query: Database['query']): Promise<boolean> {
  // Asked in two steps, because a question to a table that is not there would be an error.
  const [table] = await query<{ readonly there: boolean }>(
    "SELECT to_regclass('sluice.migrations') IS NOT NULL AS there",
  );
  if (!table?.there) return false;
  const [newest] = await query<{ readonly at: number | null }>('SELECT max(created_at) AS at FROM sluice.migrations');
  return (newest?.at ?? 0) >= NEWEST_MIGRATION;
}
