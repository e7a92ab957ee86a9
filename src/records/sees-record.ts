/** Whether `scope()` lets a caller see a record. */
import { parseJson } from '../protocol/json.ts';
import { type Caller, claimsThatCount, type Visibility } from './visibility.ts';
import type { WireRecord } from './wire-types.ts';

/**
 * Compiles the question for one caller.
 *
 * @returns a predicate over records in wire form, as JSON text. Where Postgres decides, or everybody sees every row, all pass:
 *   what reached us may be seen.
 */
export function recordFilter(visibility: Visibility<WireRecord>, caller: Caller): (record: string) => boolean {
  if (visibility.kind !== 'scope') return () => true;
  const claims = claimsThatCount(visibility, caller);
  return (record) => {
    try {
      return visibility.sees(claims, JSON.parse(record) as WireRecord) === true;
    } catch {
      // A function that cannot tell lets nothing be seen.
      return false;
    }
  };
}

/** A record's JSON text as a value that keeps every digit. */
export function parseRecord(record: string): WireRecord {
  const result = parseJson(record);
  // What a column holds may be nested deeper than what a stranger may send.
  return (result.ok ? result.value : JSON.parse(record)) as WireRecord;
}
