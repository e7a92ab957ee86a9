/** How the readers whom a change of a row concerns are found by the values of the row, and not asked one by one. */
import { indexText, indexTexts, namingFilter, type SelectionIndex } from '../broker/selection.ts';
import { type Filter, valueAt } from '../protocol/filter.ts';
import type { Collection } from './collection.ts';
import { normalDecimal } from './compare-decimals.ts';
import { loggedChange } from './seen-change.ts';

/**
 * A reader who asks for a value is concerned by rows that have it, and by those that had it.
 * @param filters canonical ones (see `canonicalFilters`)
 * @returns `undefined` where no filter names a value
 */
export function rowIndex({ byProperty }: Collection, filters: readonly Filter[]): SelectionIndex | undefined {
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
      if (change === undefined) return undefined;
      const values: string[] = [];
      for (const row of [change.old, change.new]) {
        const text = row && textOf(valueAt(row.record, path));
        if (text !== undefined) values.push(text);
      }
      return values;
    },
  };
}
