/**
 * Records as they were, rebuilt from the log (protocol section 6).
 *
 * The time of a change is when the log took it up, a moment after its commit. Who asks is judged by the caller's rights of now:
 * with `scope()` by each row as it was, with `everyRow()` not at all. Postgres cannot be asked about rows of the past, so with
 * `rls()` only those may ask who may see everything: that is for whoever calls this to see to.
 */

import { formatCursor, parseCursor, viewEpoch } from '../protocol/cursor.ts';
import { isUnchanged } from '../protocol/preconditions.ts';
import type { Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { setWireForm } from './caller-session.ts';
import type { Collection } from './collection.ts';
import { type Found, type Recounted, type Refusal, Refused, refuse, type Unchanged } from './outcome.ts';
import {
  changesOf,
  isWhole,
  type LogBounds,
  type PastChange,
  positionAt,
  readBounds,
  rowBefore,
} from './past-changes.ts';
import { formatKey, parseKey } from './record-key.ts';
import { type Row, selectRow } from './record-sql.ts';
import type { HistoryRequest, PastRequest, RecordsOptions } from './records.ts';
import { recordFilter } from './sees-record.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { TableFacts } from './table-facts.ts';
import { fingerprint } from './visibility.ts';

export interface Past {
  at(collection: Collection, request: PastRequest): Promise<Found | Unchanged | Refusal>;
  history(collection: Collection, request: HistoryRequest): Promise<Recounted | Refusal>;
}

export interface PastParts extends Pick<RecordsOptions, 'drained' | 'epochOf'> {
  readonly catalog: TableCatalog;
}

/** The seqs that a page of a history looks at, and the characters after which it is full. */
const MAX_LOOKED_AT = 1_000_000;
const PAGE_LENGTH = 4 * 1024 * 1024;

/** What the log and the table say together, of one moment. */
interface Moment {
  readonly transaction: Transaction;
  readonly bounds: LogBounds;
  /** The record's key as its events have it. */
  readonly key: string;
  /** The record as it is now. */
  readonly row: Row | undefined;
}

export function createPast({ catalog, drained, epochOf }: PastParts): Past {
  async function ask<Outcome>(
    collection: Collection,
    text: string,
    work: (moment: Moment) => Promise<Outcome>,
  ): Promise<Outcome | Refusal> {
    const parts = parseKey(collection, text);
    if (parts === undefined) return { kind: 'refused', code: 'not-found' };
    const facts = await catalog.of(collection);
    try {
      return await drained(
        async (transaction) => work(await openMoment(transaction, collection, facts, parts)),
        collection.name,
      );
    } catch (error) {
      if (error instanceof Refused && error.outcome.kind === 'refused') return error.outcome;
      // A key that its type cannot hold names nothing.
      if (sqlState(error).startsWith('22')) return { kind: 'refused', code: 'not-found' };
      catalog.forget(collection);
      throw error;
    }
  }
  return {
    at: (collection, request) =>
      ask(collection, request.key, async (moment) => {
        const sees = recordFilter(collection.visibility, request.caller);
        const found = await recordAt(moment, collection, request.at);
        if (found.kind === 'found' && sees(found.record))
          return isUnchanged(request.preconditions, found.version)
            ? { kind: 'unchanged', version: found.version }
            : found;
        // To say that a record is no longer known would tell that there was one, to somebody who may not have seen it.
        const hidden = found.kind === 'unknown' && collection.visibility.kind === 'scope';
        throw found.kind === 'unknown' && !hidden ? refuse('gone', found.detail) : refuse('not-found');
      }),
    history: (collection, request) =>
      ask(collection, request.key, (moment) => {
        const epoch = epochOf(collection.name, moment.bounds.incarnation);
        return recount(
          moment,
          collection,
          request,
          viewEpoch(epoch, fingerprint(collection.visibility, request.caller)),
        );
      }),
  };
}

async function openMoment(
  transaction: Transaction,
  collection: Collection,
  facts: TableFacts,
  parts: readonly string[],
): Promise<Moment> {
  await setWireForm(transaction);
  const row = await selectRow(transaction, collection, facts, parts, false);
  const bounds = await readBounds(transaction, collection);
  // Some types have several texts for one value, and the log has the one that Postgres writes.
  return { transaction, bounds, key: row?.key ?? formatKey(parts), row };
}

type AtTime = Found | { readonly kind: 'absent' } | { readonly kind: 'unknown'; readonly detail: string };

const ABSENT: AtTime = { kind: 'absent' };
const COMPACTED: AtTime = { kind: 'unknown', detail: 'The log was compacted: only the newest changes are kept.' };
const TOO_LARGE: AtTime = { kind: 'unknown', detail: 'The record was too large for its past to be kept.' };

/** @throws Refused `invalid` for a time to come, `gone` for one that the log does not reach */
async function recordAt(moment: Moment, collection: Collection, time: number): Promise<AtTime> {
  const { transaction, bounds, key, row } = moment;
  if (time > bounds.now)
    throw refuse('invalid', undefined, [{ path: 'at', message: 'a time that is not in the future' }]);
  if (time < bounds.begun) {
    const oldest = new Date(bounds.begun).toISOString();
    throw refuse('gone', `The log goes back to ${oldest}.`, [{ path: 'at', message: `not before ${oldest}` }]);
  }
  const now: AtTime = row === undefined ? ABSENT : { kind: 'found', record: row.record, version: row.version };
  const position = await positionAt(transaction, bounds, time);
  const first = (from: number, to: number, order: 'newest' | 'oldest') =>
    firstOf(changesOf(transaction, bounds, key, { from, to }, order));
  const next = () => first(position + 1, bounds.latest + 1, 'oldest');
  const previous = await first(bounds.oldest, position + 1, 'newest');
  if (previous !== undefined) {
    // The newest event of a key is never compacted away, so a hole before it matters only if there is a newer one.
    const whole = await isWhole(transaction, bounds, { from: previous.seq, to: position + 1 });
    const isNewest = async () => (await next()) === undefined;
    if (!whole && !(await isNewest())) return COMPACTED;
    if (previous.type === 'delete') return ABSENT;
    if (previous.after !== undefined) return { kind: 'found', record: previous.after, version: previous.version };
    return (await isNewest()) ? now : TOO_LARGE;
  }
  const following = await next();
  if (following === undefined) return now;
  if (!(await isWhole(transaction, bounds, { from: bounds.oldest, to: following.seq }))) return COMPACTED;
  if (following.type === 'insert') return ABSENT;
  const before = rowBefore(collection, following);
  return before === undefined ? TOO_LARGE : { kind: 'found', ...before };
}

async function firstOf(changes: AsyncGenerator<PastChange, void, void>): Promise<PastChange | undefined> {
  for await (const change of changes) return change;
  return undefined;
}

/** @throws Refused `not-found` when there is nothing that the caller may know of, `invalid` for a place of another history */
async function recount(
  { transaction, bounds, key, row }: Moment,
  { visibility }: Collection,
  { caller, limit, before }: HistoryRequest,
  epoch: string,
): Promise<Recounted> {
  const place = before === undefined ? undefined : parseCursor(before);
  if (before !== undefined && place?.epoch !== epoch)
    throw refuse('invalid', undefined, [{ path: 'before', message: 'not a place in this history' }]);
  const sees = recordFilter(visibility, caller);
  const to = Math.min(place?.seq ?? Number.MAX_SAFE_INTEGER, bounds.latest + 1);
  const from = Math.max(bounds.oldest, to - MAX_LOOKED_AT);
  const versions: string[] = [];
  let reached = from;
  let more = from > bounds.oldest;
  let length = 0;
  let last: PastChange | undefined;
  for await (const change of changesOf(transaction, bounds, key, { from, to }, 'newest')) {
    const record = change.type === 'delete' ? change.before : change.after;
    // What was too large to be kept cannot be judged.
    if (visibility.kind === 'scope' && (record === undefined || !sees(record))) continue;
    if (last !== undefined && (versions.length === limit || length >= PAGE_LENGTH)) {
      more = true;
      reached = last.seq;
      break;
    }
    const version = render(change, record, formatCursor({ epoch, seq: change.seq }));
    versions.push(version);
    length += version.length;
    last = change;
  }
  const isKnown = versions.length > 0 || (row !== undefined && sees(row.record));
  if (place === undefined && !more && !isKnown) throw refuse('not-found');
  // A record that was there before its table was captured begins with something else than an insert.
  const begins = more || last?.type === 'insert' || (last === undefined && place !== undefined);
  const complete = !bounds.lost && begins && (await isWhole(transaction, bounds, { from: reached, to }));
  return { kind: 'recounted', versions, next: more ? formatCursor({ epoch, seq: reached }) : undefined, complete };
}

function render({ time, type, version, changed, actor }: PastChange, record: string | undefined, id: string): string {
  let text = `{"id":"${id}","time":"${new Date(time).toISOString()}","type":"${type}","version":${version}`;
  if (record !== undefined) text += `,"record":${record}`;
  if (actor !== undefined) text += `,"actor":${actor}`;
  if (changed !== undefined) text += `,"changed":${changed}`;
  return `${text}}`;
}
