/** How the readers whom a change of a row concerns are found by the values of the row, and not asked one by one. */
import { indexText, indexTexts, namingFilter, type SelectionIndex } from '../broker/selection.ts';
import { type Filter, valueAt } from '../protocol/filter.ts';
import type { Collection } from './collection.ts';
import { loggedChange } from './seen-change.ts';
import type { TableFacts } from './table-facts.ts';
import { equalityText } from './wire-order.ts';

/**
 * A reader who asks for a value is concerned by rows that have it, and by those that had it.
 * @param filters canonical ones (see `canonicalFilters`)
 * @returns `undefined` where no filter names a value
 */
export function rowIndex(
  { byProperty }: Collection,
  facts: TableFacts,
  filters: readonly Filter[],
): SelectionIndex | undefined {
  const filter = namingFilter(filters);
  if (filter === undefined) return undefined;
  const { path } = filter;
  const column = byProperty.get(path.join('.'));
  // One value may have several texts, as big numbers do.
  const oneText = column && equalityText(column, facts.columns.get(column.column)?.base);
  const textOf = (value: unknown) => (oneText && typeof value === 'string' ? oneText(value) : indexText(value));
  return {
    attribute: `row ${JSON.stringify(path)}`,
    values: indexTexts(oneText === undefined ? filter.values : filter.values.map(oneText)),
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
