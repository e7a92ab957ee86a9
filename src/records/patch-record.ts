/** Patching one record, with a three-way merge against the version that the client started from (protocol section 6). */

import { mayWrite } from '../protocol/preconditions.ts';
import type { Collection } from './collection.ts';
import { mergeRecord, mergeUnseen } from './merge.ts';
import { type Conflict, type Refusal, Refused, refuse, type Written } from './outcome.ts';
import { policyColumns } from './policy-columns.ts';
import { readPatch, type Values } from './record-input.ts';
import { parseKey } from './record-key.ts';
import { lockRow, type Row, updateRow } from './record-sql.ts';
import type { PatchRequest } from './records.ts';
import { parseRecord, recordFilter } from './sees-record.ts';
import { isSameValue } from './wire-equality.ts';
import { toColumns } from './wire-row.ts';
import type { WireRecord } from './wire-types.ts';
import { type WriteParts, writeRecords } from './write-transaction.ts';

/** The base has to be looked up first: an embedded database could not do so while the transaction is open. */
class BaseNeeded extends Error {
  override readonly name = 'BaseNeeded';
  /** The record's key as its events have it: some types have several texts for one value. */
  readonly key: string;

  constructor(key: string) {
    super('the base is needed');
    this.key = key;
  }
}

export async function patchRecord(
  parts: WriteParts,
  collection: Collection,
  request: PatchRequest,
): Promise<Written | Refusal | Conflict> {
  const { caller, preconditions, baseVersion } = request;
  const key = parseKey(collection, request.key);
  if (key === undefined) throw refuse('not-found');
  const patch = readPatch(collection, request.value);
  const sees = recordFilter(collection.visibility, caller);
  const columns = Object.keys(patch).flatMap((property) => collection.byProperty.get(property)?.column ?? []);
  let older: Older | undefined;

  const attempt = () =>
    writeRecords(parts, collection, request, {
      removing: false,
      values: `[${toColumns(collection, patch)}]`,
      columns,
      key,
      async run(transaction, facts) {
        const found = await lockRow(transaction, collection, facts, key);
        if (found === undefined || !sees(found.record)) throw refuse('not-found');
        if (!mayWrite(preconditions, found.version)) throw refuse('precondition-failed');
        const ofBase = baseVersion === undefined || String(baseVersion) === found.version;
        if (!ofBase && older === undefined) throw new BaseNeeded(found.key);
        const current = parseRecord(found.record);
        const base: Base = ofBase ? { kind: 'seen', record: current } : baseOf(collection, older, current);
        const { values, merged } = merge(collection, { base, current, patch, found });
        const set = Object.keys(values).flatMap((property) => collection.byProperty.get(property)?.column ?? []);
        const json = toColumns(collection, values);
        const row: Row | undefined =
          set.length === 0
            ? found
            : await updateRow(transaction, collection, facts, key, { set, reset: [], values: json });
        if (row === undefined || !sees(row.record)) throw refuse('forbidden');
        return { kind: 'written', effect: 'changed', records: [row], merged, replayed: false };
      },
    });
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof BaseNeeded) || baseVersion === undefined) throw error;
    older = await lookUp(error.key, baseVersion);
  }
  return attempt();

  async function lookUp(name: string, version: number): Promise<Older> {
    const record = await parts.versionAt?.(collection, name, version);
    const shown = record !== undefined && sees(JSON.stringify(record)) ? record : undefined;
    const judged =
      collection.visibility.kind === 'rls' ? await policyColumns(parts.database, collection.sqlName) : NO_COLUMNS;
    return { record: shown, judged };
  }
}

/** The record as it was, and the columns by which Postgres decides who sees it: `undefined` for any. */
interface Older {
  readonly record: WireRecord | undefined;
  readonly judged: readonly string[] | undefined;
}

const NO_COLUMNS: readonly string[] = [];

/** What the client says that it started from: `unseen` where it is known, but perhaps was never theirs to see. */
type Base =
  | { readonly kind: 'seen' | 'unseen'; readonly record: WireRecord }
  | { readonly kind: 'unknown'; readonly record?: undefined };

/**
 * Postgres cannot be asked whether the caller could see the row as it was. But it lets them see the row as it is: so, where the policies
 * look at nothing but columns, and none of these differs, it would have.
 */
function baseOf({ byColumn }: Collection, older: Older | undefined, current: WireRecord): Base {
  if (older?.record === undefined) return { kind: 'unknown' };
  const { record, judged } = older;
  const isSame = judged?.every((name) => {
    const column = byColumn.get(name);
    return column !== undefined && isSameValue(column, record[column.property], current[column.property]);
  });
  return { kind: isSame === true ? 'seen' : 'unseen', record };
}

/** @throws Refused with the conflict */
function merge(
  collection: Collection,
  sides: {
    readonly base: Base;
    readonly current: WireRecord;
    readonly patch: Values;
    readonly found: Row;
  },
): { readonly values: Values; readonly merged: boolean } {
  const { base, current, patch, found } = sides;
  const result =
    base.kind === 'unknown'
      ? mergeBlindly(collection, current, patch)
      : (base.kind === 'seen' ? mergeRecord : mergeUnseen)(collection, { base: base.record, current, patch });
  if (result.kind === 'merged') return result;
  throw new Refused({
    kind: 'conflict',
    base: base.kind === 'seen' ? JSON.stringify(base.record) : undefined,
    current: found.record,
    yours: JSON.stringify(patch),
    fields: result.fields,
  });
}

/** Without the base, nobody can say who changed what: only what is there already is no conflict. */
function mergeBlindly(collection: Collection, current: WireRecord, patch: Values) {
  const fields = collection.columns
    .filter((column) => {
      const { property } = column;
      return Object.hasOwn(patch, property) && !isSameValue(column, current[property] ?? null, patch[property]);
    })
    .map(({ property }) => property);
  return fields.length > 0
    ? { kind: 'conflict' as const, fields }
    : { kind: 'merged' as const, values: {}, merged: false };
}
