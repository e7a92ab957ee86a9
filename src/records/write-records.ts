/** Writing records: create, replace, patch, remove. Preconditions and merges are decided while the row is locked. */

import { mayWrite } from '../protocol/preconditions.ts';
import type { Collection } from './collection.ts';
import { type Conflict, type Refusal, Refused, refuse, type Written, type WrittenRecord } from './outcome.ts';
import { patchRecord } from './patch-record.ts';
import { readNewRecords, readReplacement, type Values } from './record-input.ts';
import { parseKey } from './record-key.ts';
import { deleteRow, insertRows, lockRow, type Row, selectRow, updateRow } from './record-sql.ts';
import type { CreateRequest, PatchRequest, RemoveRequest, ReplaceRequest } from './records.ts';
import { recordFilter } from './sees-record.ts';
import { toColumns } from './wire-row.ts';
import { type WriteParts, writeRecords } from './write-transaction.ts';

export interface Writing {
  create(collection: Collection, request: CreateRequest): Promise<Written | Refusal>;
  replace(collection: Collection, request: ReplaceRequest): Promise<Written | Refusal>;
  patch(collection: Collection, request: PatchRequest): Promise<Written | Refusal | Conflict>;
  remove(collection: Collection, request: RemoveRequest): Promise<Written | Refusal>;
}

/** How often a record that changes between two looks at it is looked at again. */
const ATTEMPTS = 5;

export function createWriting(parts: WriteParts): Writing {
  return {
    create: (collection, request) => refusals(collection, () => create(parts, collection, request)),
    replace: (collection, request) => refusals(collection, () => replace(parts, collection, request)),
    patch: (collection, request) => answer(collection, () => patchRecord(parts, collection, request)),
    remove: (collection, request) => refusals(collection, () => remove(parts, collection, request)),
  };
}

/** Turns refusals that come before any transaction into outcomes too. */
async function answer<Outcome>(
  { readOnly }: Collection,
  work: () => Promise<Outcome>,
): Promise<Outcome | Refusal | Conflict> {
  if (readOnly) return { kind: 'refused', code: 'method-not-allowed' };
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refused) return error.outcome;
    throw error;
  }
}

async function refusals(
  collection: Collection,
  work: () => Promise<Written | Refusal | Conflict>,
): Promise<Written | Refusal> {
  const outcome = await answer(collection, work);
  if (outcome.kind === 'conflict') throw new Error('only a patch can conflict');
  return outcome;
}

async function create(parts: WriteParts, collection: Collection, request: CreateRequest) {
  const records = readNewRecords(collection, request.value);
  const sees = recordFilter(collection.visibility, request.caller);
  const groups = groupByColumns(collection, records);
  return writeRecords(parts, collection, request, {
    removing: false,
    values: `[${groups.flatMap(({ rows }) => rows).join(',')}]`,
    columns: [...new Set(groups.flatMap(({ columns }) => columns))],
    async run(transaction) {
      const written: WrittenRecord[] = [];
      for (const { columns, rows } of groups)
        written.push(...(await insertRows(transaction, collection, columns, `[${rows.join(',')}]`)));
      // A rule or a trigger of the database that drops rows is a refusal, and not half a success.
      if (written.length !== records.length || !written.every(({ record }) => sees(record))) throw refuse('forbidden');
      return { kind: 'written', effect: 'created', records: written, merged: false, replayed: false };
    },
  });
}

/** Neighbours with values for the same columns are inserted together. A record without any value stands alone. */
function groupByColumns(collection: Collection, records: readonly Values[]) {
  const groups: { readonly columns: readonly string[]; readonly name: string; readonly rows: string[] }[] = [];
  for (const record of records) {
    const columns = columnsOf(collection, record);
    const name = JSON.stringify(columns);
    const open = groups.at(-1);
    if (open?.name === name && columns.length > 0) open.rows.push(toColumns(collection, record));
    else groups.push({ columns, name, rows: [toColumns(collection, record)] });
  }
  return groups;
}

function columnsOf({ columns }: Collection, record: Values): readonly string[] {
  return columns.flatMap(({ property, column }) =>
    Object.hasOwn(record, property) && record[property] !== undefined ? [column] : [],
  );
}

async function replace(parts: WriteParts, collection: Collection, request: ReplaceRequest) {
  const { caller, preconditions } = request;
  const key = parseKey(collection, request.key);
  if (key === undefined) throw refuse('invalid', 'No record can have this key.');
  const values = readReplacement(collection, request.value, key);
  const sees = recordFilter(collection.visibility, caller);
  const given = columnsOf(collection, values);
  const keyColumns = new Set(collection.key.map(({ column }) => column));
  const set = given.filter((column) => !keyColumns.has(column));
  const reset = collection.columns
    .filter((column) => column !== collection.version && !column.generated && !keyColumns.has(column.column))
    .map(({ column }) => column)
    .filter((column) => !given.includes(column));
  const json = toColumns(collection, values);
  return writeRecords(parts, collection, request, {
    removing: false,
    values: `[${json}]`,
    columns: given,
    retryOnKey: true,
    async run(transaction, facts) {
      const found = await lockRow(transaction, collection, facts, key);
      // A record that the caller cannot see is one whose key is taken, as it would be on creating it.
      if (found !== undefined && !sees(found.record)) {
        if (!mayWrite(preconditions, undefined)) throw refuse('precondition-failed');
        throw keyTaken(collection);
      }
      if (!mayWrite(preconditions, found?.version)) throw refuse('precondition-failed');
      let row: Row | undefined = found;
      if (found === undefined) [row] = await insertRows(transaction, collection, given, `[${json}]`);
      else if (set.length + reset.length > 0)
        row = await updateRow(transaction, collection, facts, key, { set, reset, values: json });
      if (row === undefined || !sees(row.record)) throw refuse('forbidden');
      return {
        kind: 'written',
        effect: found === undefined ? 'created' : 'changed',
        records: [row],
        merged: false,
        replayed: false,
      };
    },
  });
}

function keyTaken({ key }: Collection): Refused {
  return refuse(
    'unique',
    undefined,
    key.map(({ property }) => ({ path: property, message: 'another record has this value' })),
  );
}

/** Policies can allow removing without changing, and a lock asks for the right to change: so this goes without one. */
async function remove(parts: WriteParts, collection: Collection, request: RemoveRequest) {
  const { caller, preconditions } = request;
  const key = parseKey(collection, request.key);
  if (key === undefined) throw refuse('not-found');
  const sees = recordFilter(collection.visibility, caller);
  const byVersion =
    collection.visibility.kind === 'scope' ||
    preconditions.ifMatch !== undefined ||
    preconditions.ifNoneMatch !== undefined;
  return writeRecords(parts, collection, request, {
    removing: true,
    values: '[]',
    columns: [],
    key,
    async run(transaction, facts) {
      let version: string | undefined;
      for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
        const found = await selectRow(transaction, collection, facts, key, false);
        if (found === undefined || !sees(found.record)) throw refuse('not-found');
        if (!mayWrite(preconditions, found.version)) throw refuse('precondition-failed');
        // Seen twice the same, and not removed: nobody came between, it was not allowed.
        if (version === found.version) throw refuse('forbidden');
        version = found.version;
        const gone = await deleteRow(transaction, collection, facts, key, byVersion ? [version] : undefined);
        if (gone !== undefined)
          return { kind: 'written', effect: 'removed', records: [], merged: false, replayed: false };
      }
      throw refuse('unavailable');
    },
  });
}
