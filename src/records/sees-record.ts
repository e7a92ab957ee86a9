/** Whether `scope()` lets a caller see a record. */
import { parseJson } from '../protocol/json.ts';
import { type Caller, claimsThatCount, type Visibility } from './visibility.ts';
import type { WireRecord } from './wire-types.ts';

/**
 * Compiles the question for one caller.
 *
 * @returns a predicate over records in wire form. Where Postgres decides, or everybody sees every row, all pass: what reached us
 *   may be seen. It throws what the function of `scope()` throws (see `guardScope`)
 */
export function rowJudge(visibility: Visibility<WireRecord>, caller: Caller): (row: WireRecord) => boolean {
  if (visibility.kind !== 'scope') return () => true;
  const claims = claimsThatCount(visibility, caller);
  return (row) => visibility.sees(claims, row);
}

/** As {@link rowJudge}, over records as JSON text. */
export function recordFilter(visibility: Visibility<WireRecord>, caller: Caller): (record: string) => boolean {
  if (visibility.kind !== 'scope') return () => true;
  const sees = rowJudge(visibility, caller);
  return (record) => sees(JSON.parse(record) as WireRecord);
}

/** A record's JSON text as a value that keeps every digit. */
export function parseRecord(record: string): WireRecord {
  const result = parseJson(record);
  // What a column holds may be nested deeper than what a stranger may send.
  return (result.ok ? result.value : JSON.parse(record)) as WireRecord;
}
