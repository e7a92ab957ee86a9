/** What a reader who comes to a view with a cursor has missed. */
import type { GapReason } from '../protocol/control.ts';
import type { Cursor } from '../protocol/cursor.ts';
import type { LogEvent } from '../protocol/event-batch.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { HeldRows } from './held-rows.ts';
import { DEPENDENCY_TYPE, deleteBody, loggedChange } from './seen-change.ts';
import { inOrder, rowBody } from './view-events.ts';
import type { RowsRead, ViewSource } from './view-source.ts';

/** The most events over which a reader catches up. */
export const MAX_CATCH_UP = 20_000;

export type CaughtUp =
  | {
      readonly kind: 'missed';
      readonly events: readonly LogEvent[];
      /** The log's events of the rows that were read, and what was read. */
      readonly changes: readonly LogEvent[];
      readonly read: RowsRead | undefined;
    }
  | {
      readonly kind: 'gap';
      readonly reason: GapReason;
      readonly changes: readonly LogEvent[];
      readonly read: RowsRead | undefined;
    };

/**
 * @param from of the view's epoch, at or before `position`
 * @param position where the view is
 * @param rows what its readers hold
 * @throws StoreUnavailable
 */
export async function catchUp(source: ViewSource, rows: HeldRows, from: Cursor, position: Cursor): Promise<CaughtUp> {
  const early = rows.earlyAt(from.seq);
  if (early === undefined) return { kind: 'gap', reason: 'lagged', changes: [], read: undefined };
  if (from.seq === position.seq && early.length === 0)
    return { kind: 'missed', events: [], changes: [], read: undefined };
  const page = await source.events(from.seq, position.seq, MAX_CATCH_UP);
  if (page.kind === 'gone') return { kind: 'gap', reason: page.reason, changes: [], read: undefined };
  const first = new Map<string, LogEvent>();
  const last = new Map<string, LogEvent>();
  for (const event of [...early, ...page.events]) {
    if (event.key === undefined) continue;
    if (!first.has(event.key)) first.set(event.key, event);
    last.set(event.key, event);
  }
  const changes = inOrder(last);
  const read = last.size === 0 ? undefined : await source.read([...last.keys()]);
  if (read?.unreadable !== undefined) throw new StoreUnavailable('rows cannot be read now', { cause: read.unreadable });
  // A change of another table in between may have changed what the reader held in ways that no event tells.
  let certain = !page.events.some(({ type }) => type === DEPENDENCY_TYPE);
  const events: LogEvent[] = [];
  for (const event of changes) {
    const key = event.key ?? '';
    const row = read?.rows.get(key);
    const begun = first.get(key);
    const isNew = begun?.type === 'insert' && begun.seq > from.seq;
    let body: string | undefined;
    if (row !== undefined) body = rowBody(event, isNew ? 'insert' : 'update', row);
    else if (rows.knows(key)) body = deleteBody(event, loggedChange(event)?.version ?? 0);
    // Whether the reader holds it cannot be known, and its key is not to be told to one who never saw it.
    else if (!isNew) certain = false;
    if (body !== undefined) events.push(event.withBody(body, position.epoch, Math.max(event.seq, from.seq)));
  }
  return certain ? { kind: 'missed', events, changes, read } : { kind: 'gap', reason: 'unknown-epoch', changes, read };
}
