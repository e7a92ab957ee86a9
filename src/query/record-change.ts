/** The events of a collection's topic (protocol section 6.6), as a cache takes them. */
import type { Row } from '../client/mutation.ts';
import { isRow } from '../client/records/json.ts';
import type { Event } from '../protocol/event.ts';

/** What became of one record. */
export interface RecordChange {
  /** `insert`, also of one that was there and was not looked at before; `delete`, also of one that is not looked at any more. */
  readonly kind: 'insert' | 'update' | 'delete';
  readonly key: string;
  /** Of the record after the change; of one that is gone, the last. */
  readonly version: number;
  /** The `Idempotency-Key` of the write that did it, where that is known. */
  readonly mutation?: string | undefined;
  /** The record after the change; empty where it is gone. */
  readonly row: Row;
  /** Fields that the row lacks, because they are large. */
  readonly omitted: readonly string[];
  /** The fields that changed; `undefined` where that is not known. */
  readonly changed?: readonly string[] | undefined;
}

/** @returns `undefined` for an event that tells of no record */
export function readRecordChange({ type, key, data, mutation }: Event): RecordChange | undefined {
  if (key === undefined || !isRow(data) || (type !== 'insert' && type !== 'update' && type !== 'delete'))
    return undefined;
  const { version, omitted, changed } = data;
  const row = type === 'delete' ? {} : data['new'];
  if (typeof version !== 'number' || !isRow(row)) return undefined;
  return { kind: type, key, version, mutation, row, omitted: texts(omitted) ?? [], changed: texts(changed) };
}

/**
 * The record after a change, with what is omitted from its base where that is the version before and nothing says otherwise.
 * @returns `undefined` when the record must be read
 */
export function wholeRow(
  { row, version, omitted, changed }: RecordChange,
  before: { readonly base: Row | undefined; readonly version: number } | undefined,
): Row | undefined {
  if (omitted.length === 0) return row;
  const base = before?.version === version - 1 ? before.base : undefined;
  if (!base || !changed || omitted.some((field) => changed.includes(field))) return undefined;
  return { ...Object.fromEntries(omitted.map((field) => [field, base[field]])), ...row };
}

/** The version of a record; `undefined` when it has none. (Of a `bigint` column it may be a string of digits.) */
export function versionOfRow(row: Row, field: string): number | undefined {
  const value = Number(row[field] ?? Number.NaN);
  return Number.isNaN(value) ? undefined : value;
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined;
}
