/**
 * Between the database's form of a row (JSON keyed by column name, numbers as numbers) and the wire's (keyed by property name,
 * numbers of unbounded size as strings of digits). Values are never parsed, so no digit is lost.
 */
import type { Collection } from './collection.ts';
import type { CollectionColumn } from './columns.ts';
import { type Image, readImage } from './image.ts';

/**
 * The wire form of a row, as JSON text on one line if the image is on one.
 *
 * Columns that the image lacks are left out, and so are columns that the definition lacks.
 *
 * @param image the row as `to_jsonb` writes it
 * @throws TypeError when the image is no JSON object
 */
export function toWire(collection: Collection, image: string | Image): string {
  return renderFields(collection.columns, readImage(image));
}

/** As {@link toWire}, with these columns only. */
export function renderFields(columns: readonly CollectionColumn[], image: Image): string {
  let text = '{';
  for (const column of columns) {
    const raw = image.get(column.column);
    if (raw === undefined) continue;
    if (text.length > 1) text += ',';
    text += `${column.label}:${column.quoted ? quoteDigits(raw) : raw}`;
  }
  return `${text}}`;
}

/**
 * The database's form of a record, as JSON text for `jsonb_populate_record`: only the columns that the record has. Members
 * that are no property of the definition are left out.
 *
 * @param record in wire form, checked by the collection's schemas
 */
export function toColumns(collection: Collection, record: Readonly<Record<string, unknown>>): string {
  const members = collection.columns.flatMap(({ property, column }) => {
    const value = Object.hasOwn(record, property) ? record[property] : undefined;
    return value === undefined ? [] : [`${JSON.stringify(column)}:${JSON.stringify(value)}`];
  });
  return `{${members.join(',')}}`;
}

/** Numbers become strings, also within arrays; strings (`"NaN"`) and nulls stay. */
function quoteDigits(raw: string): string {
  const first = raw.charCodeAt(0);
  if (first === 0x22 || first === 0x6e) return raw;
  if (first !== 0x5b) return `"${raw}"`;
  return raw.replace(/"(?:[^"\\]|\\.)*"|[-\d][\d.eE+-]*/g, (token) => (token.startsWith('"') ? token : `"${token}"`));
}
