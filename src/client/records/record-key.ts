/** What names a record (protocol section 6.1), and what names one that the server has not named yet. */
import type { Mutation, Row } from '../mutation.ts';

/** Which fields of a record say what it is. */
export interface RecordFields {
  /** Those of the key, in the order of the collection's definition. */
  readonly key: readonly string[];
  readonly version: string;
}

/** The key of a record; `undefined` when it lacks one of the key's fields. */
export function keyOfRow(row: Row, { key }: Pick<RecordFields, 'key'>): string | undefined {
  const parts: string[] = [];
  for (const field of key) {
    const value = row[field];
    if (value === undefined || value === null) return undefined;
    parts.push(typeof value === 'string' ? value : JSON.stringify(value));
  }
  return parts.length === 1 ? parts[0] : parts.map(encodeURIComponent).join(',');
}

/** The version of a record; `undefined` when it has none. (Of a `bigint` column it may be a string of digits.) */
export function versionOfRow(row: Row, { version }: Pick<RecordFields, 'version'>): number | undefined {
  const value = Number(row[version] ?? Number.NaN);
  return Number.isNaN(value) ? undefined : value;
}

/** Filters that only the record of this key meets. */
export function filtersOfKey(key: string, { key: fields }: Pick<RecordFields, 'key'>): readonly string[] {
  const parts = partsOf(key, fields);
  return fields.map((field, index) => `${field}=eq.${parts[index] ?? ''}`);
}

/** A record with the fields of its key, as text where it does not have them itself. */
export function withKey(row: Row, key: string, { key: fields }: Pick<RecordFields, 'key'>): Row {
  const parts = partsOf(key, fields);
  return { ...Object.fromEntries(fields.map((field, index) => [field, parts[index] ?? null])), ...row };
}

function partsOf(key: string, fields: readonly string[]): readonly string[] {
  return fields.length === 1 ? [key] : key.split(',').map(decodeURIComponent);
}

/** No key has a control character, so what begins with one is nobody's. */
const TEMPORARY = '\u007f';

/** The key under which a record is shown until the server has chosen one. */
export function temporaryKey({ id }: Pick<Mutation, 'id'>): string {
  return TEMPORARY + id;
}

export function isTemporaryKey(key: string): boolean {
  return key.startsWith(TEMPORARY);
}
