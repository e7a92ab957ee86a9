/**
 * From a captured change to the events that tell it (protocol section 6). The images go from the outbox into the log as text;
 * nothing in them is parsed.
 */
import { type EventBody, renderEventBody } from '../protocol/event.ts';
import type { Collection } from './collection.ts';
import type { CollectionColumn } from './columns.ts';
import { type Image, leftOutOf, readImage } from './image.ts';
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
 * Whoever updates a row without changing a field of the definition gets `"changed":[]`. Fields that were too large are left out of the
 * row, and named in `omitted`; one that was too large before an update is named in `changed` and not in `old`.
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
  return body(collection, change, 'insert', row, `"new":${renderFields(collection.columns, row)}`);
}

function deleted(collection: Collection, change: CapturedChange, row: Image): EventBody {
  return body(collection, change, 'delete', row, `"old":${renderFields(collection.columns, row)}`);
}

function updated(collection: Collection, change: CapturedChange, before: Image, after: Image): EventBody {
  const changed = collection.columns.filter(
    (column) => column !== collection.version && differs(column, before, after, collection.columns),
  );
  const labels = changed.map(({ label }) => label).join(',');
  const rows = `"new":${renderFields(collection.columns, after)},"old":${renderFields(changed, before)}`;
  return body(collection, change, 'update', after, rows, `,"changed":[${labels}]`);
}

function differs(
  { column }: CollectionColumn,
  before: Image,
  after: Image,
  columns: readonly CollectionColumn[],
): boolean {
  const [old, fresh] = [before.get(column), after.get(column)];
  if (old !== undefined || fresh !== undefined) return old !== fresh;
  // Of what was too large, digests tell; of what the images do not have at all, nothing does.
  const [gone, come] = [leftOutOf(before, columns).get(column), leftOutOf(after, columns).get(column)];
  return gone !== come;
}

/**
 * @param row the one that says the key, the version, and what was left out
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
  const omitted = leftOutOf(row, collection.columns);
  const names = collection.columns.filter(({ column }) => omitted.has(column)).map(({ label }) => label);
  const lacking = names.length === 0 ? '' : `,"omitted":[${names.join(',')}]`;
  return renderEventBody(type, `{${rows},"version":${version}${rest}${lacking}}`, {
    key: keyOfImage(collection, row),
    actor: change.actor ?? undefined,
    mutation: change.mutation ?? undefined,
  });
}
