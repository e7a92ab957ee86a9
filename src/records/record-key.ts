/**
 * The key of a record as one text: the `key` of its events, and the last segment of its URL. A key of one column is the value's
 * text as it is. One of several is each value's text percent-encoded, joined by commas, in the order of the definition.
 */
import { isKey } from '../protocol/key.ts';
import type { Collection } from './collection.ts';
import type { CollectionColumn } from './columns.ts';
import { type Image, readImage } from './image.ts';
import { textOfRaw } from './row-text.ts';

/**
 * The key of a row as capture wrote it.
 *
 * @throws TypeError that names the table and the column, when the image lacks a key column or has a null there
 */
export function keyOfImage(collection: Collection, image: string | Image): string {
  const members = readImage(image);
  return formatKey(
    collection.key.map(({ column }) => {
      const raw = members.get(column);
      if (raw === undefined || raw === 'null') throw unreadable(collection, column);
      return textOfRaw(raw);
    }),
  );
}

/**
 * The key of a record in wire form.
 *
 * @throws TypeError as {@link keyOfImage} does
 */
export function keyOfRecord(collection: Collection, record: Readonly<Record<string, unknown>>): string {
  return formatKey(
    collection.key.map(({ property, column }) => {
      const value = Object.hasOwn(record, property) ? record[property] : undefined;
      if (value === undefined || value === null) throw unreadable(collection, column);
      return typeof value === 'string' ? value : JSON.stringify(value);
    }),
  );
}

/** Writes key parts so that {@link parseKey} reads them back. */
export function formatKey(parts: readonly string[]): string {
  return parts.length === 1 ? (parts[0] ?? '') : parts.map(encodeURIComponent).join(',');
}

/**
 * Reads a key: the key columns' values as text, in the order of the definition.
 *
 * @returns `undefined` when no record can have this key: a wrong number of parts, a text that the column's type cannot hold, or
 *   another than the one text that the value has (`007`), so that one record has one URL. A text that only Postgres can judge
 *   (a timestamp) passes.
 */
export function parseKey(collection: Collection, text: string): readonly string[] | undefined {
  const parts = splitKey(collection, text);
  return parts !== undefined && collection.key.every((column, at) => holds(column, parts[at] ?? ''))
    ? parts
    : undefined;
}

/**
 * Reads a key that the database has written, whatever the definition thinks that its columns can hold.
 *
 * @returns `undefined` when it has a wrong number of parts, or one that is not encoded
 */
export function splitKey({ key }: Collection, text: string): readonly string[] | undefined {
  const parts = key.length === 1 ? [text] : text.split(',').map(decode);
  const whole = parts.filter((part) => part !== undefined);
  return whole.length === parts.length && parts.length === key.length ? whole : undefined;
}

/** Whether a URL can name the key, and an event carry it. */
export function isAddressable(key: string): boolean {
  return isKey(key) && key !== '.' && key !== '..';
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** The largest number that each integer type holds; the smallest is one further below zero. */
const MAX_INTEGER: Readonly<Record<string, bigint>> = { int2: 0x7fffn, int4: 0x7fffffffn, int8: 0x7fffffffffffffffn };

function holds({ kind, drizzle }: CollectionColumn, text: string): boolean {
  // NUL and lone surrogates: no text of Postgres has them.
  if (/[\0\p{Cs}]/u.test(text)) return false;
  switch (kind) {
    case 'int2':
    case 'int4':
    case 'int8': {
      if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return false;
      const max = MAX_INTEGER[kind] ?? 0n;
      const value = BigInt(text);
      return value <= max && value >= -max - 1n;
    }
    case 'numeric':
      return /^(?:-?\d+(?:\.\d+)?|NaN|-?Infinity)$/.test(text);
    case 'boolean':
      return text === 'true' || text === 'false';
    case 'uuid':
      return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
    case 'enum':
      return drizzle.enumValues?.includes(text) ?? true;
    case 'bytea':
      return /^\\x(?:[0-9a-f]{2})*$/.test(text);
    default:
      return true;
  }
}

function unreadable({ tableName }: Collection, column: string): TypeError {
  return new TypeError(`${tableName}.${column}: a row without a value of this key column`);
}
