/** What readers see of a collection whose visibility is decided without a query: `everyRow` and `scope`, with filters. */
import type { Projection } from '../broker/selection.ts';
import { parseCursor, viewEpoch } from '../protocol/cursor.ts';
import { type Filter, formatFilter } from '../protocol/filter.ts';
import { compileRowFilters } from './row-filter.ts';
import { rowIndex } from './row-index.ts';
import { type Sees, seenChange } from './seen-change.ts';
import { rowJudge } from './sees-record.ts';
import type { StreamedCollection } from './streamed-collection.ts';
import type { Caller } from './visibility.ts';

/** What readers of a view see, as the broker asks for it; and the question behind it. */
export interface RowSight {
  /** `undefined` where every reader sees every event as it is. */
  readonly projection: Projection | undefined;
  readonly sees: Sees;
}

/**
 * @param filters canonical ones (see `canonicalFilters`)
 * @param view names the caller's view (see `viewEpoch`)
 */
export function rowSight(
  { collection, facts }: Pick<StreamedCollection, 'collection' | 'facts'>,
  caller: Caller,
  filters: readonly Filter[],
  view: string,
): RowSight {
  const { visibility } = collection;
  const inScope = rowJudge(visibility, caller);
  const matches = compileRowFilters(collection, facts, filters);
  const sees: Sees = (row, omitted) => matches(row, omitted) && inScope(row);
  if (visibility.kind === 'everyRow' && filters.length === 0) return { projection: undefined, sees };
  const projection: Projection = {
    name: JSON.stringify([view, ...filters.map(formatFilter).sort()]),
    project(event) {
      const cursor = event.id === undefined ? undefined : parseCursor(event.id);
      return cursor && seenChange(event, viewEpoch(cursor.epoch, view), sees);
    },
    index: rowIndex(collection, facts, filters),
  };
  return { projection, sees };
}
