/** What readers see of a collection whose visibility is decided without a query: `everyRow` and `scope`, with filters. */
import { indexText, indexTexts, namingFilter, type Projection, type SelectionIndex } from '../broker/selection.ts';
import { parseCursor, viewEpoch } from '../protocol/cursor.ts';
import { type Filter, formatFilter, valueAt } from '../protocol/filter.ts';
import type { Collection } from './collection.ts';
import { normalDecimal } from './compare-decimals.ts';
import { compileRowFilters } from './row-filter.ts';
import { loggedChange, type Sees, seenChange } from './seen-change.ts';
import { type Caller, claimsThatCount, type Visibility } from './visibility.ts';
import type { WireRecord } from './wire-types.ts';

/**
 * @param filters canonical ones (see `canonicalFilters`)
 * @param view names the caller's view (see `viewEpoch`)
 * @returns `undefined` where every reader sees every event as it is
 */
export function rowProjection(
  collection: Collection,
  caller: Caller,
  filters: readonly Filter[],
  view: string,
): Projection | undefined {
  const { visibility } = collection;
  if (visibility.kind === 'everyRow' && filters.length === 0) return undefined;
  const inScope = scopeOf(visibility, caller);
  const matches = compileRowFilters(collection, filters);
  const sees: Sees = (row, omitted) => matches(row, omitted) && inScope(row);
  return {
    name: JSON.stringify([view, ...filters.map(formatFilter).sort()]),
    project(event) {
      const cursor = event.id === undefined ? undefined : parseCursor(event.id);
      return cursor && seenChange(event, viewEpoch(cursor.epoch, view), sees);
    },
    index: indexOf(collection, filters),
  };
}

/** Whether the caller may see a row. A function of the user's that throws lets nothing be seen. */
export function scopeOf(visibility: Visibility<WireRecord>, caller: Caller): (row: WireRecord) => boolean {
  if (visibility.kind !== 'scope') return () => true;
  const claims = claimsThatCount(visibility, caller);
  return (row) => {
    try {
      return visibility.sees(claims, row) === true;
    } catch {
      return false;
    }
  };
}

/** A reader who asks for a value is concerned by rows that have it, and by those that had it. */
function indexOf({ byProperty }: Collection, filters: readonly Filter[]): SelectionIndex | undefined {
  const filter = namingFilter(filters);
  if (filter === undefined) return undefined;
  const { path } = filter;
  // Big numbers are texts on the wire, and one number may have several.
  const isDecimal = byProperty.get(path.join('.'))?.quoted === true;
  const textOf = (value: unknown) => (isDecimal && typeof value === 'string' ? normalDecimal(value) : indexText(value));
  return {
    attribute: `row ${JSON.stringify(path)}`,
    values: isDecimal ? filter.values.map(normalDecimal) : indexTexts(filter.values),
    valuesOf(event) {
      const change = loggedChange(event);
      const values: string[] = [];
      for (const row of [change?.old, change?.new]) {
        const text = row && textOf(valueAt(row.record, path));
        if (text !== undefined) values.push(text);
      }
      return values;
    },
  };
}
