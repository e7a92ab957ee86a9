/** Keeps what is cached of a live query as that is, from the end of its present fetch until the next one, or until nobody observes it. */
import type { Query, QueryClient } from '@tanstack/query-core';
import type { Live } from './records-query.ts';

/** How long it is kept right when nobody observes it any more, in ms. */
const LINGER_MS = 1000;

export function followRecords(queryClient: QueryClient, query: Query, live: Live): void {
  const { queryKey } = query;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let written: unknown;
  let isFetched = false;

  function write(): void {
    const { rows, state } = live.getSnapshot();
    if (state.kind === 'refused') release('active');
    else if (isFetched && rows !== written) {
      written = rows;
      queryClient.setQueryData(queryKey, rows);
    }
  }

  function end(): void {
    clearTimeout(timer);
    unsubscribe();
    stopListening();
  }

  /** Nobody keeps it right from now on: who observes it is to fetch it. */
  function release(refetchType: 'active' | 'none'): void {
    end();
    void queryClient.invalidateQueries({ queryKey, exact: true, refetchType });
  }

  function heedObservers(): void {
    clearTimeout(timer);
    timer = query.getObserversCount() > 0 ? undefined : setTimeout(() => release('none'), LINGER_MS);
  }

  const unsubscribe = live.subscribe(write);
  const stopListening = queryClient.getQueryCache().subscribe((event) => {
    if (event.query !== query) return;
    if (event.type === 'observerAdded' || event.type === 'observerRemoved') heedObservers();
    if (event.type === 'removed') end();
    if (event.type !== 'updated') return;
    const { action } = event;
    // The next fetch follows it by itself; one that was given up leaves what there was before it.
    if (action.type === 'fetch' || action.type === 'error' || action.type === 'setState') end();
    if (action.type !== 'success' || action.manual) return;
    isFetched = true;
    // Not while the cache tells of it; and what has come meanwhile is newer than what was fetched.
    queueMicrotask(write);
  });
  heedObservers();
}
