/** Where a view's rows and changes come from: the table, as its callers see it, and the collection's log. */
import { readPage } from '../broker/event-page.ts';
import type { GapReason } from '../protocol/control.ts';
import type { LogEvent } from '../protocol/event-batch.ts';
import type { Filter } from '../protocol/filter.ts';
import type { Transaction } from '../store/postgres/database.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { beginView } from './caller-session.ts';
import type { Collection } from './collection.ts';
import { endOfLog } from './end-of-log.ts';
import type { ReadMoment } from './held-rows.ts';
import { Refused } from './outcome.ts';
import { compileRowFilters } from './row-filter.ts';
import { concerns } from './view-interest.ts';
import { ViewTooLarge } from './view-too-large.ts';
import type { Caller } from './visibility.ts';
import { keyColumns, readVisibleRows, type VisibleRow } from './visible-rows.ts';
import type { WireRecord } from './wire-types.ts';

export interface SeenRow extends VisibleRow {
  readonly version: number;
}

export interface ViewSource {
  readonly topic: string;
  /** All rows that are seen, and the end of the log at that very moment. @throws StoreUnavailable, ViewTooLarge */
  readAll(most: number): Promise<{ readonly epoch: string; readonly seq: number; readonly rows: readonly SeenRow[] }>;
  /** Those of these rows that are seen now, and the log at that very moment. @throws StoreUnavailable */
  read(keys: readonly string[]): Promise<RowsRead>;
  /** What of the log between two seqs, the second included, can matter. @throws StoreUnavailable */
  events(after: number, upTo: number, most: number): Promise<EventsBetween>;
  /** The seq of the log's newest event. @throws StoreUnavailable */
  latest(): Promise<number>;
}

export interface RowsRead extends ReadMoment {
  /** By key. */
  readonly rows: ReadonlyMap<string, SeenRow>;
}

export type EventsBetween =
  | { readonly kind: 'events'; readonly events: readonly LogEvent[] }
  | { readonly kind: 'gone'; readonly reason: GapReason };

export interface ViewSourceOptions {
  readonly collection: Collection;
  readonly caller: Caller;
  /** Which rows are wanted: canonical filters. */
  readonly filters: readonly Filter[];
  readonly store: PostgresStore;
  /** Runs work in a snapshot in which nothing of the collection, or of what it depends on, is on its way to the log. */
  readonly drained: <Result>(work: (transaction: Transaction) => Promise<Result>) => Promise<Result>;
  /** The captures (`sluice.captures.id`) of the collection's table and of those that it depends on. */
  readonly captures: readonly number[];
}

/** Rows asked for in one statement, and events read at once. */
const KEYS = 5000;
const PAGE = 1000;

export function createViewSource({
  collection,
  caller,
  filters,
  store,
  drained,
  captures,
}: ViewSourceOptions): ViewSource {
  const topic = collection.name;
  const { log, database } = store;
  const matches = compileRowFilters(collection, filters);
  const isOf = concerns(collection, filters);

  function wanted(rows: readonly VisibleRow[]): readonly SeenRow[] {
    return rows.flatMap(({ key, record, token }) => {
      const row = JSON.parse(record) as WireRecord;
      const version = Number(row[collection.version.property]);
      return matches(row) ? [{ key, record, token: `${version} ${token}`, version }] : [];
    });
  }

  return {
    topic,
    async readAll(most) {
      const readAt = (read: (transaction: Transaction) => Promise<readonly VisibleRow[]>) =>
        drained(async (transaction) => {
          const end = await endOfLog(transaction, topic);
          const visible = await read(transaction);
          if (visible.length > most) throw new ViewTooLarge(`more than ${most} rows of ${topic} are visible`);
          return { epoch: store.epochOf(topic, end.incarnation), seq: end.latest, rows: wanted(visible) };
        });
      try {
        return await readAt(async (transaction) => {
          await beginView(transaction, collection.visibility, caller, { topic, captures });
          return readVisibleRows(transaction, collection, { limit: most + 1 });
        });
      } catch (error) {
        if (!mayNotRead(error)) throw error;
        return readAt(async () => []);
      }
    },
    async read(keys) {
      const rows = new Map<string, SeenRow>();
      let moment: ReadMoment | undefined;
      for (let from = 0; from < keys.length; from += KEYS) {
        const some = keys.slice(from, from + KEYS).flatMap((key) => keyColumns(collection, key) ?? []);
        const visible = await asCaller(() =>
          database.transaction(
            async (transaction) => {
              const begun = await beginView(transaction, collection.visibility, caller, { topic, captures });
              // Of several reads the log said all only if it did at each, and then up to the last.
              moment = { latest: begun.latest, exact: !begun.pending && (moment?.exact ?? true) };
              return readVisibleRows(transaction, collection, { keys: some, limit: KEYS });
            },
            { isolation: 'repeatable read' },
          ),
        );
        for (const row of wanted(visible)) rows.set(row.key, row);
      }
      return { rows, ...(moment ?? { latest: 0, exact: false }) };
    },
    async events(after, upTo, most) {
      const events: LogEvent[] = [];
      for (let position = after; position < upTo; ) {
        const page = await readPage(log, topic, position, PAGE);
        if (page.oldest > position + 1) return { kind: 'gone', reason: 'expired' };
        for (const event of page.events) if (event.seq <= upTo && isOf(event)) events.push(event);
        if (events.length > most) return { kind: 'gone', reason: 'lagged' };
        if (page.end <= position) break;
        position = page.end;
      }
      return { kind: 'events', events };
    },
    async latest() {
      const [range] = await log.ranges([topic]);
      return range?.latest ?? 0;
    },
  };
}

/** Who may not read the table at all, or whose claims no policy understands, sees nothing of it. */
async function asCaller(read: () => Promise<readonly VisibleRow[]>): Promise<readonly VisibleRow[]> {
  try {
    return await read();
  } catch (error) {
    if (mayNotRead(error)) return [];
    throw error;
  }
}

/** That there is no such role or no right to the table, or that the policies can make nothing of these claims. */
function mayNotRead(error: unknown): boolean {
  if (error instanceof Refused) return true;
  const state = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return state === '42501' || state.startsWith('22');
}
