/** What readers see of a collection whose visibility is decided without a query: `everyRow` and `scope`, with filters. */
import type { Projection } from '../broker/selection.ts';
import { parseCursor, viewEpoch } from '../protocol/cursor.ts';
import { type Filter, formatFilter } from '../protocol/filter.ts';
import type { StreamedCollection } from './record-streams.ts';
import { compileRowFilters } from './row-filter.ts';
import { rowIndex } from './row-index.ts';
import { type Sees, seenChange } from './seen-change.ts';
import { rowJudge } from './sees-record.ts';
import type { Caller } from './visibility.ts';

/**
 * @param filters canonical ones (see `canonicalFilters`)
 * @param view names the caller's view (see `viewEpoch`)
 * @returns `undefined` where every reader sees every event as it is
 */
export function rowProjection(
  { collection, facts }: Pick<StreamedCollection, 'collection' | 'facts'>,
  caller: Caller,
  filters: readonly Filter[],
  view: string,
): Projection | undefined {
  const { visibility } = collection;
  if (visibility.kind === 'everyRow' && filters.length === 0) return undefined;
  const inScope = rowJudge(visibility, caller);
  const matches = compileRowFilters(collection, facts, filters);
  const sees: Sees = (row, omitted) => matches(row, omitted) && inScope(row);
  return {
    name: JSON.stringify([view, ...filters.map(formatFilter).sort()]),
    project(event) {
      const cursor = event.id === undefined ? undefined : parseCursor(event.id);
      return cursor && seenChange(event, viewEpoch(cursor.epoch, view), sees);
    },
    index: rowIndex(collection, facts, filters),
  };
}
