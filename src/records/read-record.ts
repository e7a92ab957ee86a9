/** Reading one record. */

import { isUnchanged } from '../protocol/preconditions.ts';
import type { Database } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { becomeCaller, setWireForm } from './caller-session.ts';
import type { Collection } from './collection.ts';
import { isRefusedByPolicy } from './database-refusal.ts';
import { type Found, type Refusal, Refused, type Unchanged } from './outcome.ts';
import { parseKey } from './record-key.ts';
import { canHold, selectRow } from './record-sql.ts';
import type { RecordRequest } from './records.ts';
import { recordFilter } from './sees-record.ts';
import type { TableCatalog } from './table-catalog.ts';

const NOT_FOUND: Refusal = { kind: 'refused', code: 'not-found' };

export async function readRecord(
  { database, catalog }: { readonly database: Database; readonly catalog: TableCatalog },
  collection: Collection,
  { caller, key, preconditions }: RecordRequest,
): Promise<Found | Unchanged | Refusal> {
  const { visibility } = collection;
  const parts = parseKey(collection, key);
  if (parts === undefined) return NOT_FOUND;
  const facts = await catalog.of(collection);
  try {
    const row = await database.transaction(async (transaction) => {
      await setWireForm(transaction);
      await becomeCaller(transaction, visibility, caller);
      return selectRow(transaction, collection, facts, parts, false);
    });
    if (row === undefined || !recordFilter(visibility, caller)(row.record)) return NOT_FOUND;
    const { record, version } = row;
    return isUnchanged(preconditions, version) ? { kind: 'unchanged', version } : { kind: 'found', record, version };
  } catch (error) {
    if (error instanceof Refused && error.outcome.kind === 'refused') return error.outcome;
    // A key that its type cannot hold names nothing.
    if (sqlState(error).startsWith('22') && !(await canHold(database, collection, facts, parts))) return NOT_FOUND;
    if (isRefusedByPolicy(visibility, error)) return { kind: 'refused', code: 'forbidden' };
    catalog.forget(collection);
    throw error;
  }
}
