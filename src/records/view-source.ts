/** Where a view's rows and changes come from: the table, as its callers see it, and the collection's log. */

import { readPage } from '../broker/event-page.ts';
import type { GapReason } from '../protocol/control.ts';
import type { LogEvent } from '../protocol/event-batch.ts';
import type { Filter } from '../protocol/filter.ts';
import type { Transaction } from '../store/postgres/database.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { StoreUnavailable } from '../store/store.ts';
import { beginView } from './caller-session.ts';
import { endOfLog } from './end-of-log.ts';
import type { ReadMoment } from './held-rows.ts';
import { Refused } from './outcome.ts';
import { splitKey } from './record-key.ts';
import { compileRowFilters } from './row-filter.ts';
import type { StreamedCollection } from './streamed-collection.ts';
import { concerns } from './view-interest.ts';
import { ViewTooLarge } from './view-too-large.ts';
import type { Caller } from './visibility.ts';
import { type RowToken, readRowTokens, readVisibleRows, type VisibleRow } from './visible-rows.ts';
import type { WireRecord } from './wire-types.ts';

export interface SeenRow extends VisibleRow {
  readonly version: number;
}

/**
 * What a view reads. All its reads are made as the caller, so nothing is ever seen here but what Postgres shows them; where Postgres
 * refuses to answer (no right, no such role, a policy that fails), nothing is seen, and the answer says why.
 */
export interface ViewSource {
  readonly topic: string;
  /** What is seen, and the end of the log at that very moment. @throws StoreUnavailable, ViewTooLarge */
  readAll(most: number): Promise<AllRows>;
  /** Those of these rows that are seen now, and the log at that very moment. @throws StoreUnavailable */
  read(keys: readonly string[]): Promise<RowsRead>;
  /** What of the log between two seqs, the second included, can matter. @throws StoreUnavailable */
  events(after: number, upTo: number, most: number): Promise<EventsBetween>;
  /** The seq of the log's newest event. @throws StoreUnavailable */
  latest(): Promise<number>;
}

export interface AllRows extends Unreadable {
  readonly epoch: string;
  readonly seq: number;
  /** The token of each row, by key. */
  readonly rows: ReadonlyMap<string, string>;
}

export interface RowsRead extends ReadMoment, Unreadable {
  /** By key. */
  readonly rows: ReadonlyMap<string, SeenRow>;
}

interface Unreadable {
  /** Why Postgres did not answer, where it did not. */
  readonly unreadable?: unknown;
}

export type EventsBetween =
  | { readonly kind: 'events'; readonly events: readonly LogEvent[] }
  | { readonly kind: 'gone'; readonly reason: GapReason };

export interface ViewSourceOptions extends StreamedCollection {
  readonly caller: Caller;
  /** Which rows are wanted: canonical filters. */
  readonly filters: readonly Filter[];
  readonly store: PostgresStore;
}

/** Rows asked for in one statement: each comes whole, however large. */
const KEYS = 500;
/** Events of the log read at once. */
const PAGE = 1000;

export function createViewSource({
  collection,
  facts,
  caller,
  filters,
  store,
  drained,
  captures,
}: ViewSourceOptions): ViewSource {
  const topic = collection.name;
  const { log, database } = store;
  const matches = compileRowFilters(collection, facts, filters);
  const isOf = concerns(collection, facts, filters);

  const judge = (record: string): number | undefined => {
    const row = JSON.parse(record) as WireRecord;
    return matches(row) ? Number(row[collection.version.property]) : undefined;
  };

  return {
    topic,
    async readAll(most) {
      const readAt = (read: (transaction: Transaction) => Promise<readonly RowToken[]>) =>
        drained(async (transaction) => {
          const end = await endOfLog(transaction, topic);
          const all = await read(transaction);
          if (all.length > most) throw new ViewTooLarge(`more than ${most} rows of ${topic} are visible`);
          const rows = new Map<string, string>();
          for (const { key, version, token } of all) rows.set(key, `${Number(version)} ${token}`);
          return { epoch: store.epochOf(topic, end.incarnation), seq: end.latest, rows };
        });
      try {
        return await readAt(async (transaction) => {
          await beginView(transaction, collection.visibility, caller, { topic, captures: captures() });
          return readRowTokens(transaction, { collection, facts }, { filters, limit: most + 1 });
        });
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return { ...(await readAt(async () => [])), unreadable: error };
      }
    },
    async read(keys) {
      const rows = new Map<string, SeenRow>();
      let moment: ReadMoment | undefined;
      for (let from = 0; from < keys.length; from += KEYS) {
        const some = keys.slice(from, from + KEYS).flatMap((key) => {
          const parts = splitKey(collection, key);
          return parts === undefined ? [] : [parts];
        });
        try {
          const visible = await database.transaction(
            async (transaction) => {
              const begun = await beginView(transaction, collection.visibility, caller, {
                topic,
                captures: captures(),
              });
              // Of several reads the log said all only if it did at each, and then up to the last.
              moment = { latest: begun.latest, exact: !begun.pending && (moment?.exact ?? true) };
              return readVisibleRows(transaction, { collection, facts }, { keys: some, limit: KEYS });
            },
            { isolation: 'repeatable read' },
          );
          for (const { key, record, token } of visible) {
            const version = judge(record);
            if (version !== undefined) rows.set(key, { key, record, version, token: `${version} ${token}` });
          }
        } catch (error) {
          if (!isRefusal(error)) throw error;
          return { rows: new Map(), latest: 0, exact: false, unreadable: error };
        }
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

/** That Postgres answered, and with an error: a missing right or role, or a policy that fails for this caller. */
function isRefusal(error: unknown): boolean {
  return error instanceof Refused || (!(error instanceof StoreUnavailable) && sqlState(error) !== '');
}
