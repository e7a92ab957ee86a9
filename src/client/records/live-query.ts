/** A live query, as an application holds it: it runs while somebody listens. */
import type { Mutation, Row } from '../mutation.ts';
import type { SubscriptionState } from '../subscription.ts';
import { type QueryContext, type QueryPlan, type QueryRun, runQuery } from './query-run.ts';

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

/** How long a query runs on when nobody listens any more, in ms: React lets go and comes back when it mounts twice. */
export const LINGER_MS = 1000;

const LOADING: QuerySnapshot = { rows: [], state: { kind: 'loading' }, more: false };

/** @param onStop told when it has let go of everything; it begins anew when somebody listens again */
export function createLiveQuery(plan: QueryPlan, context: QueryContext, onStop?: () => void): LiveQuery {
  const listeners = new Set<{ readonly listener: () => void }>();
  let run: QueryRun | undefined;
  /** `undefined` when something has changed since it was looked at. */
  let snapshot: QuerySnapshot | undefined = LOADING;
  let isTelling = false;
  let linger: (() => void) | undefined;

  function changed(): void {
    snapshot = undefined;
    if (isTelling) return;
    isTelling = true;
    context.schedule(() => {
      isTelling = false;
      if (!run) return;
      getSnapshot();
      run.tidy();
      for (const { listener } of [...listeners]) listener();
    });
  }

  function getSnapshot(): QuerySnapshot {
    snapshot ??= run?.look() ?? LOADING;
    return snapshot;
  }

  function stop(): void {
    run?.close();
    run = undefined;
    snapshot = LOADING;
    onStop?.();
  }

  return {
    subscribe(listener) {
      const entry = { listener };
      listeners.add(entry);
      linger?.();
      run ??= runQuery(plan, context, changed);
      return () => {
        if (listeners.delete(entry) && listeners.size === 0) linger = context.delay(stop, LINGER_MS);
      };
    },
    getSnapshot,
    get isRunning() {
      return run !== undefined;
    },
    pendingOf: (key) => run?.pendingOf(key) ?? [],
    versionOf: (key) => run?.versionOf(key),
    refresh: () => run?.refresh(),
  };
}
