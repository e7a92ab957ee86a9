/** What names a record (protocol section 6.1), and what names one that the server has not named yet. */
import type { Mutation, Row } from '../mutation.ts';

/** Which fields of a record say what it is. */
export interface RecordFields {
  /** Those of the key, in the order of the collection's definition. */
  readonly key: readonly string[];
  readonly version: string;
}

/** The key of a record; `undefined` when it lacks one of the key's fields. */
export function keyOfRow(row: Row, fields: readonly string[]): string | undefined {
  const parts = fields.map((field) => row[field] ?? undefined);
  if (parts.includes(undefined)) return undefined;
  return parts.length === 1 ? `${parts[0]}` : parts.map((part) => encodeURIComponent(`${part}`)).join(',');
}

/** Filters that only the record of this key meets. */
export function filtersOfKey(key: string, fields: readonly string[]): readonly string[] {
  return partsOf(key, fields).map(([field, part]) => `${field}=eq.${part}`);
}

/** A record with the fields of its key, as text where it does not have them itself. */
export function withKey(row: Row, key: string, fields: readonly string[]): Row {
  return { ...Object.fromEntries(partsOf(key, fields)), ...row };
}

function partsOf(key: string, fields: readonly string[]): readonly (readonly [field: string, part: string])[] {
  const parts = fields.length === 1 ? [key] : key.split(',').map(decodeURIComponent);
  return fields.map((field, index) => [field, parts[index] ?? '']);
}

/** No key has a control character, so what begins with one is nobody's. */
const TEMPORARY = '\u007f';

/** The key under which a record is shown until the server has chosen one. */
export function temporaryKey({ id }: Pick<Mutation, 'id'>): string {
  return TEMPORARY + id;
}

/** Whether a record is shown under a key of its own until the server has chosen one. */
export function isTemporaryKey(key: string): boolean {
  return key.startsWith(TEMPORARY);
}
