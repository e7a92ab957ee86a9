/** The module that a server of the bench takes as `--collections`. The environment says which table it is, and who sees what. */
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { collection, everyRow, rls } from '../../src/collections.ts';

const name = process.env['BENCH_TABLE'] ?? '';

/**
 * `mark` never changes, so that an update tells it once: in the whole new row, and not among the old values of what changed. `at`
 * follows it, because the readers look for the time right after the mark.
 */
const table = pgTable(name, {
  id: integer('id').primaryKey(),
  part: integer('part').notNull(),
  mark: text('mark').notNull(),
  at: text('at').notNull(),
  version: integer('version').notNull().default(1),
});

const VISIBILITIES = {
  'every row': everyRow(),
  // A view for each part, whoever reads it.
  'by part': rls({ claims: ['part'] }),
  // One caller may see every row: only filters tell the views apart.
  'by filter': rls({ claims: [] }),
  // All claims count, so each subject has a view.
  'by subject': rls(),
} as const;

export type VisibilityName = keyof typeof VISIBILITIES;

export const changes = collection(name, {
  table,
  visibility: VISIBILITIES[(process.env['BENCH_VISIBILITY'] ?? 'every row') as VisibilityName],
});
