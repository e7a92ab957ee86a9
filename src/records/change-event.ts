/**
 * From a captured change to the events that tell it (protocol section 6). The images go from the outbox into the log as text;
 * nothing in them is parsed.
 */
import type { EventBody } from '../protocol/event.ts';
import type { Collection } from './collection.ts';
import { type Image, isLarge, readImage } from './image.ts';
import { keyOfImage } from './record-key.ts';
import { renderFields } from './wire-row.ts';

/** A row's change as capture recorded it. An image is JSON text keyed by column name. */
export interface CapturedChange {
  readonly operation: 'I' | 'U' | 'D';
  /** The row before; `null` for an insert. */
  readonly old: string | null;
  /** The row after; `null` for a delete. */
  readonly new: string | null;
  readonly actor: string | null;
  readonly mutation: string | null;
}

/**
 * The events of a change, in the order in which they belong into the log: one, or for an update of the key a delete under
 * the old key and an insert under the new one.
 *
 * Whoever updates a row without changing a field of the definition gets `"changed":[]`. A row that was too large for an image is
 * told by `"large":true` and its version alone.
 *
 * @throws TypeError that names the table and the column, when an image is missing or lacks the key or the version
 */
export function toEventBodies(collection: Collection, change: CapturedChange): readonly EventBody[] {
  const image = (which: 'old' | 'new'): Image => {
    const text = change[which];
    if (text === null)
      throw new TypeError(`${collection.tableName}: a change (${change.operation}) without its ${which} row`);
    return readImage(text);
  };
  if (change.operation === 'I') return [inserted(collection, change, image('new'))];
  if (change.operation === 'D') return [deleted(collection, change, image('old'))];
  const before = image('old');
  const after = image('new');
  if (keyOfImage(collection, before) !== keyOfImage(collection, after)) {
    return [deleted(collection, change, before), inserted(collection, change, after)];
  }
  return [updated(collection, change, before, after)];
}

function inserted(collection: Collection, change: CapturedChange, row: Image): EventBody {
  const data = isLarge(row) ? '"large":true' : `"new":${renderFields(collection.columns, row)}`;
  return body(collection, change, 'insert', row, data);
}

function deleted(collection: Collection, change: CapturedChange, row: Image): EventBody {
  const data = isLarge(row) ? '"large":true' : `"old":${renderFields(collection.columns, row)}`;
  return body(collection, change, 'delete', row, data);
}

function updated(collection: Collection, change: CapturedChange, before: Image, after: Image): EventBody {
  if (isLarge(before) || isLarge(after)) return body(collection, change, 'update', after, '"large":true');
  const changed = collection.columns.filter(
    (column) => column !== collection.version && before.get(column.column) !== after.get(column.column),
  );
  const labels = changed.map(({ label }) => label).join(',');
  const rows = `"new":${renderFields(collection.columns, after)},"old":${renderFields(changed, before)}`;
  return body(collection, change, 'update', after, rows, `,"changed":[${labels}]`);
}

/**
 * @param row the one that says the key and the version
 * @param rows the members of `data` before `version`
 * @param rest those after it
 */
function body(
  collection: Collection,
  change: CapturedChange,
  type: string,
  row: Image,
  rows: string,
  rest = '',
): EventBody {
  const version = row.get(collection.version.column);
  if (version === undefined || !/^-?\d+$/.test(version)) {
    throw new TypeError(`${collection.tableName}.${collection.version.column}: a row without a version`);
  }
  let text = `"type":"${type}","data":{${rows},"version":${version}${rest}},"key":${JSON.stringify(keyOfImage(collection, row))}`;
  if (change.actor !== null) text += `,"actor":${JSON.stringify(change.actor)}`;
  if (change.mutation !== null) text += `,"mutation":${JSON.stringify(change.mutation)}`;
  return `${text}}`;
}
