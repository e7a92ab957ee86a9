/**
 * A live query: the local copy of what one query sees, kept right by a list and the stream from there on. It runs while somebody listens.
 *
 * After a gap, the subscription is closed, the list read again, and a new subscription begun at its cursor: where the database decides on
 * visibility, the old one need not tell what came and went before the list (protocol section 6.6). What was known shows until then. The same
 * is done wherever the stream does not say enough: of a record that is too large for it, of rows that follow those that have left, of an own
 * write that it does not show.
 */
import type { Event } from '../../protocol/event.ts';
import { endOf, isFinal } from '../connection/answers.ts';
import type { Trouble } from '../connection/state.ts';
import { createListeners } from '../listeners.ts';
import { type Mutation, mutationKey, type Row } from '../mutation.ts';
import type { Request } from '../request.ts';
import type { Subscribe, Subscription, SubscriptionState } from '../subscription.ts';
import { isSame } from './json.ts';
import { type ListQuery, readListPage } from './list-page.ts';
import type { RecordFields } from './record-key.ts';
import { createRecordSet, type RecordChange } from './record-set.ts';
import type { FieldOrders } from './row-order.ts';

export type QueryState =
  /** Nothing is known yet; what shows are the client's own writes. */
  | { readonly kind: 'loading' }
  | { readonly kind: 'live' }
  /** What shows may be behind: the connection is to be made again, or the list to be read again. */
  | { readonly kind: 'waiting' }
  | Extract<SubscriptionState, { readonly kind: 'parked' | 'closed' }>
  /**
   * By a code of protocol section 7; or `unnamed`, when the records lack the fields that name them. It stays so until another token, or
   * `refresh`, changes that.
   */
  | { readonly kind: 'refused'; readonly code: string };

/** What a query shows. Immutable: the same object while nothing changes. */
export interface QuerySnapshot {
  /** In order; the same object for a row that does not change. */
  readonly rows: readonly Row[];
  readonly state: QueryState;
  /** Whether the query has more rows than its limit. */
  readonly more: boolean;
}

export interface LiveQuery {
  /** Tells once a turn that {@link getSnapshot} or {@link pendingOf} have changed. @returns ends it; the last one stops the query, a moment later */
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => QuerySnapshot;
  /** Whether somebody listens, or did a moment ago. */
  readonly isRunning: boolean;
  /** The writes of a record that the server's stream does not show yet, and those that it refused, until they are discarded. */
  pendingOf(key: string): readonly Mutation[];
  /** The version of a record that shows, but for writes without an answer; `undefined` when it is not here. */
  versionOf(key: string): number | undefined;
  /** Reads the list again, now; for instance after another token was given. */
  refresh(): void;
}

/** The writes of a client, of all tabs. */
export interface Mutations {
  /** Those that are kept now: which are not yet confirmed or settled, and which were refused. */
  pending(): readonly Mutation[];
  deadLetters(): readonly Mutation[];
  observe(listener: (mutation: Mutation) => void): () => void;
  /** Told the key of an answered write, or of one that is still to be answered, which a query has come to show. May be told twice. */
  settle?(key: string): void;
}

/** A list that is being read. */
export interface Reading {
  /** Failed attempts in a row. */
  readonly attempts: number;
  /** What became of the last one; `undefined` at first. */
  readonly trouble: Trouble | undefined;
}

export interface QueryContext {
  readonly request: Request;
  readonly subscribe: Subscribe;
  readonly mutations: Mutations;
  /** How long to wait before the next try, in ms. @param failures how many have failed in a row: 0 is as 1 */
  readonly retryDelay: (failures: number) => number;
  /** Told what a listener threw. */
  readonly onError: (error: unknown) => void;
  /** Told while a list is being read, again after each failure, and without a reading when that is over: only then there is a connection. */
  readonly onReading?: ((query: object, reading?: Reading) => void) | undefined;
  /** Calls whenever a server that was not reached may be there again. @returns ends it */
  readonly onReturn?: ((listener: () => void) => () => void) | undefined;
  /** ms since whenever */
  readonly clock: () => number;
  /** Calls once after so many ms, unless the answer is called first. */
  readonly delay: (callback: () => void, ms: number) => () => void;
  /** Calls at the end of this turn. */
  readonly schedule: (callback: () => void) => void;
}

export interface QueryPlan extends ListQuery, RecordFields {
  readonly fields?: FieldOrders | undefined;
  /** How many rows are shown. */
  readonly limit: number;
  /** The key of the only record that is asked for. */
  readonly only?: string | undefined;
}

/** How long a query runs on when nobody listens any more, in ms: React lets go and comes back when it mounts twice. */
export const LINGER_MS = 1000;
/** How long the stream may take to show an answered write before the list is read, in ms. */
export const OVERDUE_MS = 5000;
/** So many rows are kept beyond those that are shown, at most, so that not every deletion makes the list be read again. */
const RESERVE = 500;
/** Lists within so many ms of each other wait for longer and longer. */
const CALM_MS = 60_000;
/** Events that wait for the end of what came about between the pages of a list; beyond, the list is read again. */
const MAX_HELD = 10_000;

const LOADING: QuerySnapshot = { rows: [], state: { kind: 'loading' }, more: false };

/** @param onStop told when it has let go of everything; it begins anew when somebody listens again */
export function createLiveQuery(plan: QueryPlan, context: QueryContext, onStop?: () => void): LiveQuery {
  const { request, subscribe, mutations, retryDelay, onError, onReading, onReturn, clock, delay, schedule } = context;
  const { collection, filters, limit, only } = plan;
  const room = limit + Math.min(RESERVE, limit - 1);
  const open = () => createRecordSet({ ...plan, room }, (mutation) => mutations.settle?.(mutationKey(mutation)));
  const listeners = createListeners(onError);
  let set = open();
  let state = LOADING.state;
  let snapshot = LOADING;
  /** Whether something may have changed since it was looked at. */
  let isStale = false;
  let isTelling = false;
  let linger: (() => void) | undefined;
  /** Stops to listen to the writes, while the query runs. */
  let unlisten: (() => void) | undefined;
  let abort = new AbortController();
  let subscription: Subscription | undefined;
  /** Cancels what is to be done later: the list; or, while there is a subscription, a look whether that is late. */
  let cancel: (() => void) | undefined;
  let attempts = 0;
  /** What became of the last attempt to read the list. */
  let trouble: Trouble | undefined;
  let begun = 0;
  /** Events that are not shown yet, until those have come that later pages have shown already. */
  let held: Event<RecordChange>[] | undefined;

  function getSnapshot(): QuerySnapshot {
    if (!isStale) return snapshot;
    isStale = false;
    const rows = set.rows();
    const { more } = set;
    if (rows !== snapshot.rows || state !== snapshot.state || more !== snapshot.more) snapshot = { rows, state, more };
    return snapshot;
  }

  function changed(): void {
    isStale = true;
    if (isTelling) return;
    isTelling = true;
    schedule(() => {
      isTelling = false;
      if (!unlisten) return;
      const { rows, more } = getSnapshot();
      if (subscription && more && rows.length < limit) again();
      if (subscription) expect();
      listeners.tell();
    });
  }

  /** Sees to it that no write waits forever to be shown. */
  function expect(): void {
    const late = set.unshown();
    if (late.length > 0)
      cancel ??= delay(() => {
        cancel = undefined;
        if (state.kind === 'live' && set.expire(late)) again();
        else expect();
      }, OVERDUE_MS);
  }

  function become(next: QueryState): void {
    if (!isSame(state, next)) state = next;
    changed();
  }

  /** Ends whatever is on its way. */
  function interrupt(): void {
    abort.abort();
    abort = new AbortController();
    cancel?.();
    cancel = undefined;
    subscription?.close();
    subscription = undefined;
  }

  /** Reads the list again, at once, or after a while if that is becoming a habit. @param least how long to wait at least, in ms */
  function again(least?: number): void {
    interrupt();
    if (state.kind !== 'loading') become({ kind: 'waiting' });
    if (clock() - begun > CALM_MS) attempts = 0;
    if (attempts === 0 && least === undefined) void list();
    else {
      const now = () => {
        cancel?.();
        void list();
      };
      const stopWaiting = delay(now, Math.max(least ?? 0, retryDelay(attempts)));
      // Unless the server asked for patience, it is tried at once when it may be there again.
      const stopListening = least === 0 ? onReturn?.(now) : undefined;
      cancel = () => {
        stopWaiting();
        stopListening?.();
      };
    }
    attempts += 1;
  }

  /** One that changes between its pages is read as each page found it. */
  async function list(): Promise<void> {
    const { signal } = abort;
    const swap = set.list();
    const rows: Row[] = [];
    let first: string | undefined;
    let next: string | undefined;
    begun = clock();
    cancel = undefined;
    tellReading();
    do {
      const answer = await readListPage(request, plan, room - rows.length, next, signal);
      if (signal.aborted) return;
      if ('kind' in answer) {
        // A later page's refusal says that the list cannot be gone on with, not that there is none.
        if (answer.kind === 'refused' && isFinal(answer) && !next) refuse(answer.code);
        else {
          again(answer.retryAfter ?? 0);
          ({ trouble } = endOf(answer, []));
          tellReading();
        }
        return;
      }
      rows.push(...answer.records);
      held = next ? [] : undefined;
      first ??= answer.cursor;
      next = answer.next;
    } while (next && rows.length < room);
    if (swap(rows, next !== undefined)) follow(first);
    else refuse('unnamed');
  }

  function refuse(code: string): void {
    endReading();
    become({ kind: 'refused', code });
  }

  function tellReading(): void {
    onReading?.(plan, { attempts, trouble });
  }

  function endReading(): void {
    trouble = undefined;
    onReading?.(plan);
  }

  function follow(after: string): void {
    become({ kind: 'waiting' });
    subscription = subscribe<RecordChange>(
      collection,
      // All queries of single records share the one reading that leaves nothing out.
      { after, filter: only === undefined ? filters : undefined },
      {
        onEvent(event) {
          if (only !== undefined && event.key !== only) return;
          if (!held) take([event]);
          // What is left out of it may be in a row already that will go back when this is shown.
          else if (event.data.omitted?.length || held.push(event) > MAX_HELD) again();
        },
        onGap: () => again(),
        onState(next) {
          become(next);
          if (next.kind !== 'live' || !held) return;
          take(held);
          held = undefined;
        },
      },
    );
    endReading();
  }

  function take(events: readonly Event<RecordChange>[]): void {
    if (events.map(set.apply).includes(false)) again();
    changed();
  }

  function mutate(mutation: Mutation): void {
    const { write } = mutation;
    if (write.kind === 'publish' || write.collection !== collection) return;
    set.mutate(mutation);
    // What is pending of a row may be shown too.
    snapshot = { ...snapshot };
    changed();
  }

  function start(): void {
    unlisten = mutations.observe(mutate);
    [...mutations.pending(), ...mutations.deadLetters()].forEach(mutate);
    void list();
  }

  function stop(): void {
    interrupt();
    endReading();
    unlisten?.();
    unlisten = undefined;
    set = open();
    ({ state } = LOADING);
    snapshot = LOADING;
    isStale = false;
    onStop?.();
  }

  return {
    subscribe(listener) {
      const stopTelling = listeners.add(listener);
      let isOver = false;
      linger?.();
      if (!unlisten) start();
      return () => {
        stopTelling();
        if (!isOver && listeners.size === 0) linger = delay(stop, LINGER_MS);
        isOver = true;
      };
    },
    getSnapshot,
    get isRunning() {
      return unlisten !== undefined;
    },
    pendingOf: (key) => set.pendingOf(key),
    versionOf: (key) => set.versionOf(key),
    refresh() {
      attempts = 0;
      if (unlisten) again();
    },
  };
}
