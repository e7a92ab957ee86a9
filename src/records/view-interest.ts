/**
 * Which events of a collection's log can change what a view with filters holds.
 *
 * A view asks Postgres for every row that changed. With ten thousand filters on one collection that would be ten thousand questions a
 * change, so those are left out that cannot matter: where the row matched the filters neither before nor after the change. What a view
 * holds is the row as some change left it; the change that takes the row away from there begins at it, and so is never left out.
 */
import type { Projection } from '../broker/selection.ts';
import type { LogEvent } from '../protocol/event-batch.ts';
import { type Filter, formatFilter } from '../protocol/filter.ts';
import type { Collection } from './collection.ts';
import { compileRowFilters } from './row-filter.ts';
import { rowIndex } from './row-index.ts';
import { loggedChange, type ToldRow } from './seen-change.ts';
import type { TableFacts } from './table-facts.ts';

/**
 * @param filters canonical ones (see `canonicalFilters`)
 * @returns whether an event can matter; of one that is no change of a row, always
 */
export function concerns(
  collection: Collection,
  facts: TableFacts,
  filters: readonly Filter[],
): (event: LogEvent) => boolean {
  if (filters.length === 0) return () => true;
  const matches = compileRowFilters(collection, facts, filters);
  const fields = new Set(filters.map(({ path }) => path.join('.')));
  // What the image lacks, the table has.
  const may = (row: ToldRow | undefined) =>
    row !== undefined && (matches(row.record, row.omitted) || row.omitted.some((name) => fields.has(name)));
  return (event) => {
    const change = loggedChange(event);
    return change === undefined || may(change.old) || may(change.new);
  };
}

/** The events that concern a view, as what it subscribes to. @returns `undefined` where all do */
export function viewInterest(
  collection: Collection,
  facts: TableFacts,
  filters: readonly Filter[],
): Projection | undefined {
  if (filters.length === 0) return undefined;
  const isOf = concerns(collection, facts, filters);
  return {
    name: JSON.stringify(['view', ...filters.map(formatFilter).sort()]),
    project: (event) => (isOf(event) ? event : undefined),
    index: rowIndex(collection, facts, filters),
  };
}
