/**
 * A live query while it runs: the local copy of what it sees, kept right by a list and the stream from there on.
 *
 * After a gap, the subscription is closed, the list read again, and a new subscription begun at its cursor: where the database decides on
 * visibility, the old one need not tell what came and went before the list (protocol section 6.6). What was known shows until then. The same
 * is done wherever the stream does not say enough: of a record that is too large for it, of rows that follow those that have left, of an own
 * write that it does not show.
 */
import type { Event } from '../../protocol/event.ts';
import type { Mutation, MutationChange } from '../mutation.ts';
import type { Request } from '../request.ts';
import type { Subscribe, Subscription } from '../subscription.ts';
import type { QuerySnapshot, QueryState } from './live-query.ts';
import { type ListQuery, readList } from './read-list.ts';
import type { RecordFields } from './record-key.ts';
import { createRecordSet, type RecordChange } from './record-set.ts';
import type { FieldOrders } from './row-order.ts';

/** The writes of a client, of all tabs. */
export interface Mutations {
  /** Those that are kept now. */
  readonly all: Iterable<Mutation>;
  listen(listener: (change: MutationChange) => void): () => void;
  /** Told when a query has come to show an answered write, or an answer that is still to come. May be told twice. */
  shown?(mutation: Mutation): void;
}

export interface QueryContext {
  readonly request: Request;
  readonly subscribe: Subscribe;
  readonly mutations: Mutations;
  /** How long to wait before the next try, in ms. @param failures how many have failed in a row: 0 is as 1 */
  readonly retryDelay: (failures: number) => number;
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
}

export interface QueryRun {
  look(): QuerySnapshot;
  /** Sees to what the last look has shown to be missing. */
  tidy(): void;
  pendingOf(key: string): readonly Mutation[];
  versionOf(key: string): number | undefined;
  refresh(): void;
  close(): void;
}

/** How long the stream may take to show an answered write before the list is read, in ms. */
export const OVERDUE_MS = 5000;
/** So many rows are kept beyond those that are shown, at most, so that not every deletion makes the list be read again. */
const RESERVE = 500;
/** Lists within so many ms of each other wait for longer and longer. */
const CALM_MS = 60_000;
/** Events that wait for the end of what came about between the pages of a list; beyond, the list is read again. */
const MAX_HELD = 10_000;

/** @param changed told when another look will show something else */
export function runQuery(plan: QueryPlan, context: QueryContext, changed: () => void): QueryRun {
  const { request, subscribe, mutations, retryDelay, clock, delay } = context;
  const { collection, filters, limit } = plan;
  const options = { ...plan, room: limit + Math.min(RESERVE, limit - 1) };
  const set = createRecordSet(options, (mutation) => mutations.shown?.(mutation));
  let state: QueryState = { kind: 'loading' };
  let abort = new AbortController();
  let subscription: Subscription | undefined;
  /** Cancels what is to be done later: the list; or, while there is a subscription, a look whether that is late. */
  let cancel: (() => void) | undefined;
  let attempts = 0;
  let begun = clock();
  /** Events that are not shown yet, until those have come that later pages have shown already. */
  let held: Event<RecordChange>[] | undefined;

  function become(next: QueryState): void {
    state = next;
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
    else cancel = delay(() => void list(), Math.max(least ?? 0, retryDelay(attempts)));
    attempts += 1;
  }

  async function list(): Promise<void> {
    const { signal } = abort;
    begun = clock();
    cancel = undefined;
    const swap = set.list();
    const listed = await readList(request, options, signal);
    if (signal.aborted) return;
    if (listed.kind === 'failed') again(listed.retryAfter ?? 0);
    else if (listed.kind === 'refused') become({ kind: 'refused', code: listed.code });
    else if (!swap(listed.rows, listed.more)) become({ kind: 'refused', code: 'unnamed' });
    else follow(listed.cursor, listed.pages);
  }

  function follow(after: string, pages: number): void {
    held = pages > 1 ? [] : undefined;
    become({ kind: 'waiting' });
    subscription = subscribe<RecordChange>(
      collection,
      { after, filter: filters },
      {
        onEvent(event) {
          if (!held) take([event]);
          // What is left out of it may be in a row already that will go back when this is shown.
          else if (event.data.omitted?.length || held.push(event) > MAX_HELD) again();
        },
        onGap: () => again(),
        onState(next) {
          if (next.kind === 'refused' && next.code === 'invalid-cursor') again();
          else {
            become(next);
            if (next.kind !== 'live' || !held) return;
            take(held);
            held = undefined;
          }
        },
      },
    );
  }

  function take(events: readonly Event<RecordChange>[]): void {
    if (events.map(set.apply).includes(false)) again();
    changed();
  }

  function mutate(change: MutationChange): void {
    set.mutate(change);
    changed();
  }

  const unlisten = mutations.listen(mutate);
  for (const mutation of mutations.all) mutate({ kind: 'changed', mutation });
  void list();

  return {
    look: () => ({ rows: set.rows(), state, more: set.more }),
    tidy() {
      const late = set.unshown();
      if (subscription && set.isShort) again();
      if (!subscription || cancel || late.length === 0) return;
      cancel = delay(() => {
        cancel = undefined;
        if (state.kind === 'live' && set.unshown().some((id) => late.includes(id))) again();
        else changed();
      }, OVERDUE_MS);
    },
    pendingOf: set.pendingOf,
    versionOf: set.versionOf,
    refresh() {
      attempts = 0;
      again();
    },
    close() {
      interrupt();
      unlisten();
    },
  };
}
