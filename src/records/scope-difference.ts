/**
 * What a reader whom a function of `scope()` shows rows must be told when the token is replaced by one under which it shows others
 * (protocol section 6.6): the rows that come into sight, those that go out of it, and what changed meanwhile.
 */
import { readPage } from '../broker/event-page.ts';
import type { GapReason } from '../protocol/control.ts';
import { type Cursor, viewEpoch } from '../protocol/cursor.ts';
import type { LogEvent } from '../protocol/event-batch.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { setWireForm } from './caller-session.ts';
import { endOfLog } from './end-of-log.ts';
import { deleteBody, loggedChange, type Sees, type ToldRow } from './seen-change.ts';
import type { StreamedCollection } from './streamed-collection.ts';
import { inOneStep, rowBody, rowEvent } from './view-events.ts';
import { readVisibleRows, type VisibleRow } from './visible-rows.ts';
import type { WireRecord } from './wire-types.ts';

/** The most rows of a table, the most events of its log, and the most differences, over which a difference is told. */
const MAX_ROWS = 20_000;
const MAX_EVENTS = 20_000;
const MAX_TOLD = 5000;

/** A reader's sight before and after. */
export interface SightChange {
  /** Where in the log the reader stood when the old sight ended. */
  readonly from: Cursor;
  readonly saw: Sees;
  readonly sees: Sees;
  /** Names the new view (see `viewEpoch`). */
  readonly view: string;
}

export interface ScopeDifference {
  /** Where in the log the reader stands after it. */
  readonly end: Cursor;
  /** What is to be told; or why it cannot be. */
  readonly told:
    | { readonly kind: 'events'; readonly events: readonly LogEvent[] }
    | { readonly kind: 'gap'; readonly reason: GapReason };
}

/** @throws StoreUnavailable */
export async function scopeDifference(
  { collection, facts, drained }: Pick<StreamedCollection, 'collection' | 'facts' | 'drained'>,
  { log, epochOf }: Pick<PostgresStore, 'log' | 'epochOf'>,
  { from, saw, sees, view }: SightChange,
): Promise<ScopeDifference> {
  const { name: topic, version } = collection;
  const { end, rows } = await drained(async (transaction) => {
    const { incarnation, latest } = await endOfLog(transaction, topic);
    await setWireForm(transaction);
    const all = await readVisibleRows(transaction, { collection, facts }, { limit: MAX_ROWS + 1 });
    return { end: { epoch: epochOf(topic, incarnation), seq: latest }, rows: all };
  });
  const gap = (reason: GapReason): ScopeDifference => ({ end, told: { kind: 'gap', reason } });
  if (end.epoch !== from.epoch) return gap('unknown-epoch');
  if (rows.length > MAX_ROWS || end.seq - from.seq > MAX_EVENTS) return gap('lagged');
  const before = await rowsBefore(log, topic, from.seq, end.seq);
  if (before === undefined) return gap('expired');

  const judged = (judge: Sees, row: ToldRow | undefined) => row !== undefined && judge(row.record, row.omitted);
  const bodies: string[] = [];
  for (const row of rows) {
    const record = JSON.parse(row.record) as WireRecord;
    const isChanged = before.has(row.key);
    const was = isChanged ? judged(saw, before.get(row.key)) : saw(record, []);
    const is = sees(record, []);
    const event = rowEvent(topic, row.key);
    const seen = { ...row, version: Number(record[version.property]) };
    if (is && (!was || isChanged)) bodies.push(rowBody(event, was ? 'update' : 'insert', seen));
    else if (was && !is) bodies.push(deleteBody(event, seen.version));
  }
  const there = new Set(rows.map(({ key }: VisibleRow) => key));
  for (const [key, row] of before)
    if (!there.has(key) && judged(saw, row))
      bodies.push(deleteBody(rowEvent(topic, key), Number(row?.record[version.property])));
  if (bodies.length > MAX_TOLD) return gap('lagged');
  const cursor = { epoch: viewEpoch(end.epoch, view), seq: end.seq };
  return { end, told: { kind: 'events', events: inOneStep(topic, bodies, end.seq, cursor) } };
}

/** The rows that changed in a stretch of the log, as they were before it; `undefined` when the log does not tell any more. */
async function rowsBefore(
  log: PostgresStore['log'],
  topic: string,
  after: number,
  upTo: number,
): Promise<ReadonlyMap<string, ToldRow | undefined> | undefined> {
  const before = new Map<string, ToldRow | undefined>();
  for (let position = after; position < upTo; ) {
    const page = await readPage(log, topic, position, 1000);
    if (page.oldest > position + 1) return undefined;
    for (const event of page.events) {
      const change = event.seq <= upTo ? loggedChange(event) : undefined;
      if (change !== undefined && event.key !== undefined && !before.has(event.key)) before.set(event.key, change.old);
    }
    if (page.end <= position) break;
    position = page.end;
  }
  return before;
}
