/**
 * Writes what comes by a stream into what is cached. What comes while a query is being fetched is written into what was fetched once more,
 * since nobody knows whether the answer has it: so an update is to change nothing where it was made already.
 */
import type { Query, QueryCacheNotifyEvent, QueryClient, QueryKey } from '@tanstack/query-core';
import type { Event } from '../protocol/event.ts';
import type { Refetch } from './refetch.ts';

/** @returns `undefined` where it cannot say */
export type Update = (cached: unknown, event: Event, queryKey: QueryKey) => unknown;

export interface DirectUpdates {
  /** Events for a query, in order. */
  take(query: Query, events: readonly Event[], update: Update): void;
  /** To be told what happens in the cache. */
  heed(event: QueryCacheNotifyEvent): void;
}

/** Events that are kept for a query while it is fetched; beyond, it is fetched again. */
const MAX_LATE = 1000;

interface Late {
  readonly events: readonly Event[];
  readonly update: Update;
}

/** @param onError told what an update threw; the query is fetched again then */
export function createDirectUpdates(
  queryClient: QueryClient,
  refetch: Refetch,
  onError: (error: unknown) => void,
): DirectUpdates {
  const late = new Map<Query, Late[]>();

  function write(query: Query, { events, update }: Late): void {
    const { data } = query.state;
    let next: unknown = data;
    try {
      for (const event of events) {
        next = update(next, event, query.queryKey);
        if (next === undefined) break;
      }
    } catch (error) {
      onError(error);
      next = undefined;
    }
    if (next === undefined) refetch.mark([query]);
    else if (next !== data) queryClient.setQueryData(query.queryKey, next);
  }

  function remember(query: Query, come: Late): void {
    const all = [...(late.get(query) ?? []), come];
    const count = all.reduce((sum, { events }) => sum + events.length, 0);
    if (count <= MAX_LATE) late.set(query, all);
    else {
      late.delete(query);
      refetch.mark([query]);
    }
  }

  return {
    take(query, events, update) {
      const { data, fetchStatus, isInvalidated } = query.state;
      if (fetchStatus === 'fetching') remember(query, { events, update });
      // What is old stays so until it is fetched: to write into it would make it pass for new.
      if (data !== undefined && !isInvalidated) write(query, { events, update });
    },
    heed(event) {
      const { type, query } = event;
      const come = late.get(query);
      if (come === undefined || (type !== 'removed' && type !== 'updated')) return;
      if (type === 'updated' && query.state.fetchStatus === 'fetching') return;
      late.delete(query);
      if (type === 'updated' && event.action.type === 'success') for (const each of come) write(query, each);
    },
  };
}
