/** Rows that are too large for an event, by the rule of the capture's own images (`sluice.row_image`). */
import { joinObject, splitObject } from './row-text.ts';

/** The text that a row may have, and the least that a field has which is left out, in UTF-16 units. */
const MAX_ROW = 1024 * 1024;
const LEAST_OMITTED = 8192;

/**
 * Leaves out the largest fields of a row, as many as are needed.
 * @param record in wire form
 */
export function withoutLarge(record: string): { readonly record: string; readonly omitted: readonly string[] } {
  if (record.length <= MAX_ROW) return { record, omitted: [] };
  const fields = splitObject(record);
  const omitted: string[] = [];
  let length = record.length;
  for (const [name, { length: size }] of [...fields].sort(([, a], [, b]) => b.length - a.length)) {
    if (length <= MAX_ROW || size < LEAST_OMITTED) break;
    fields.delete(name);
    omitted.push(name);
    length -= size;
  }
  return { record: joinObject(fields), omitted };
}
