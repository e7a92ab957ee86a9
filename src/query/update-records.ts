/** Changes of records, written into a record or an array of records. */

import type { Row } from '../client/mutation.ts';
import { isRow } from '../client/records/json.ts';
import type { Event } from '../protocol/event.ts';
import { type RecordChange, readRecordChange, versionOfRow, wholeRow } from './record-change.ts';

export interface UpdateRecordsOptions {
  readonly keyOf: (row: Row) => string | undefined;
  /** The field that counts a record's changes. */
  readonly version: string;
}

/** @returns what is cached, if that has the change already, or does not show the record; `undefined` where it cannot be told */
export function updateRecords(cached: unknown, event: Event, options: UpdateRecordsOptions): unknown {
  const change = readRecordChange(event);
  if (change === undefined) return cached;
  if (!Array.isArray(cached)) return isRow(cached) ? updateRecord(cached, change, options) : undefined;
  const rows: readonly unknown[] = cached;
  const index = rows.findIndex((row) => isRow(row) && options.keyOf(row) === change.key);
  const row = rows[index];
  // A record that goes, and is not there, may have come and gone before the list was read.
  if (!isRow(row)) return change.kind === 'delete' && rows.every(isRow) ? cached : undefined;
  if (change.kind === 'delete') return isOlder(row, change, options) ? rows.toSpliced(index, 1) : cached;
  const next = updateRecord(row, change, options);
  return next === undefined || next === row ? next && cached : rows.with(index, next);
}

function updateRecord(row: Row, change: RecordChange, options: UpdateRecordsOptions): Row | undefined {
  const key = options.keyOf(row);
  if (key !== change.key) return key === undefined ? undefined : row;
  const version = versionOfRow(row, options.version);
  if (version === undefined) return undefined;
  if (change.kind === 'delete') return isOlder(row, change, options) ? undefined : row;
  return change.version <= version ? row : wholeRow(change, { base: row, version });
}

/** Whether a record is of before it went: a deletion tells the last version that there was. */
function isOlder(row: Row, { version }: RecordChange, options: UpdateRecordsOptions): boolean {
  return (versionOfRow(row, options.version) ?? 0) <= version;
}
