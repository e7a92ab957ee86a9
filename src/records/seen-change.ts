/**
 * A change as the log holds it, made into what one reader may see of it: a row that becomes visible arrives as `insert`, one that
 * stops being visible as `delete` with the key only, and one that was and is visible as it is (protocol section 6).
 */
import { renderEventBody } from '../protocol/event.ts';
import type { LogEvent } from '../protocol/event-batch.ts';
import { splitObject } from './row-text.ts';
import type { WireRecord } from './wire-types.ts';

/** The type of the events that tell of a change to another table, on which visibility depends. No reader sees them. */
export const DEPENDENCY_TYPE = '$dependency';

export interface LoggedChange {
  readonly type: 'insert' | 'update' | 'delete';
  readonly version: number;
  /** The row before; `undefined` for an insert. */
  readonly old: ToldRow | undefined;
  /** The row after; `undefined` for a delete. */
  readonly new: ToldRow | undefined;
}

/** A row as the log tells it. */
export interface ToldRow {
  readonly record: WireRecord;
  /** The fields that it lacks because they were too large, each at least 8 KiB. */
  readonly omitted: readonly string[];
}

/** Judges a row. */
export type Sees = (row: WireRecord, omitted: readonly string[]) => boolean;

interface ChangeData {
  readonly new?: WireRecord;
  readonly old?: WireRecord;
  readonly version: number;
  readonly changed?: readonly string[];
  readonly omitted?: readonly string[];
}

/** What each event says, read once for all readers. */
const read = new WeakMap<LogEvent, LoggedChange | undefined>();

/** @returns `undefined` for an event that is no change of a row */
export function loggedChange(event: LogEvent): LoggedChange | undefined {
  if (read.has(event)) return read.get(event);
  const change = readChange(event);
  read.set(event, change);
  return change;
}

function readChange({ type, data }: LogEvent): LoggedChange | undefined {
  if (type !== 'insert' && type !== 'update' && type !== 'delete') return undefined;
  const { new: row, old, version, changed = [], omitted = NONE } = data as ChangeData;
  const told = (record: WireRecord | undefined) => record && { record, omitted };
  const before = type === 'update' && row !== undefined && old !== undefined;
  return { type, version, new: told(row), old: before ? rowBefore(row, old, changed, omitted) : told(old) };
}

/** The row before an update, of the one after it and of the fields that were others. */
function rowBefore(row: WireRecord, old: WireRecord, changed: readonly string[], omitted: readonly string[]): ToldRow {
  const record = { ...row, ...old };
  const gone = changed.filter((name) => !Object.hasOwn(old, name));
  for (const name of gone) delete record[name];
  return { record, omitted: gone.length === 0 ? omitted : [...new Set([...omitted, ...gone])] };
}

const NONE: readonly string[] = [];

/**
 * What a reader sees of a change.
 * @param epoch the epoch of the reader's cursors
 * @param sees whether a row is visible
 */
export function seenChange(event: LogEvent, epoch: string, sees: Sees): LogEvent | undefined {
  const change = loggedChange(event);
  if (change === undefined) return undefined;
  const judged = (row: ToldRow | undefined) => row !== undefined && sees(row.record, row.omitted);
  const before = judged(change.old);
  const after = judged(change.new);
  if (after && (before || change.type === 'insert')) return event.withBody(event.body, epoch);
  if (after) return event.withBody(insertBody(event), epoch);
  return before ? event.withBody(deleteBody(event, change.version), epoch) : undefined;
}

/** The row as it is now, its digits as they were written. */
function insertBody(event: LogEvent): string {
  const data = splitObject(splitObject(`{${event.body}`).get('data') ?? '{}');
  const omitted = data.get('omitted');
  const lacking = omitted === undefined ? '' : `,"omitted":${omitted}`;
  return bodyOf(event, 'insert', `{"new":${data.get('new')},"version":${data.get('version')}${lacking}}`);
}

/** Who removed a row, those may know who saw it; who only took it out of their sight, they may not. */
export function deleteBody(event: LogEvent, version: number): string {
  const { key, mutation } = event;
  const actor = event.type === 'delete' ? event.actor : undefined;
  return renderEventBody('delete', `{"version":${version}}`, { key, actor, mutation });
}

/** An event body of another type and data, which is JSON text; of the same key, by the same actor and mutation. */
export function bodyOf({ key, actor, mutation }: LogEvent, type: string, data: string): string {
  return renderEventBody(type, data, { key, actor, mutation });
}
