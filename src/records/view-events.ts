/** The events that a view tells, made of rows as they are. */
import { type Cursor, viewEpoch } from '../protocol/cursor.ts';
import { renderEventBody, renderHead } from '../protocol/event.ts';
import { LogEvent } from '../protocol/event-batch.ts';
import { type Difference, versionOf } from './held-rows.ts';
import { bodyOf, deleteBody } from './seen-change.ts';
import type { SeenRow } from './view-source.ts';
import { withoutLarge } from './without-large.ts';

/** The body that tells what became of an event's row. @param row where it is there */
export function differenceBody(event: LogEvent, difference: Difference, row: SeenRow | undefined): string {
  if (difference.kind === 'delete') return deleteBody(event, difference.version);
  if (row === undefined) throw new Error('a row that is told must be there');
  return rowBody(event, difference.kind, row);
}

export function rowBody(event: LogEvent, type: 'insert' | 'update', row: SeenRow): string {
  const { record, omitted } = withoutLarge(row.record);
  const lacking = omitted.length === 0 ? '' : `,"omitted":${JSON.stringify(omitted)}`;
  return bodyOf(event, type, `{"new":${record},"version":${row.version}${lacking}}`);
}

/** What a reader who holds some rows must be told to hold others. */
export function bodiesOfDifference(
  topic: string,
  holds: ReadonlyMap<string, string>,
  held: ReadonlyMap<string, string>,
  rows: ReadonlyMap<string, SeenRow>,
): readonly string[] {
  const gone = [...holds].filter(([key]) => !held.has(key));
  return [
    ...gone.map(([key, token]) => deleteBody(rowEvent(topic, key), versionOf(token))),
    ...Array.from(rows.values(), (row) =>
      rowBody(rowEvent(topic, row.key), holds.has(row.key) ? 'update' : 'insert', row),
    ),
  ];
}

/** An event that only says which row is meant. */
export function rowEvent(topic: string, key: string): LogEvent {
  return new LogEvent(undefined, renderHead(topic, 0), renderEventBody('$row', 'null', { key }));
}

/**
 * Events that belong together and lead to `end`. Only the last one moves the cursor: whoever is cut off between them comes back with
 * one that is not of the view's past, and is told of a gap.
 */
export function inOneStep(topic: string, bodies: readonly string[], before: number, end: Cursor): readonly LogEvent[] {
  const head = renderHead(topic, Date.now());
  const between = { epoch: viewEpoch(end.epoch, 'between'), seq: before };
  return bodies.map((body, index) => new LogEvent(index === bodies.length - 1 ? end : between, head, body));
}

/** In the order of the log. */
export function inOrder(events: ReadonlyMap<string, LogEvent>): readonly LogEvent[] {
  return [...events.values()].sort((a, b) => a.seq - b.seq);
}
