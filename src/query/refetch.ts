/**
 * Has queries fetched again, each once at a time. TanStack Query would cancel a fetch that is under way for another: where changes come
 * faster than answers, there would be no answer ever. So a query that is being fetched is fetched again afterwards.
 */
import type { Query, QueryCacheNotifyEvent, QueryClient } from '@tanstack/query-core';

export interface Refetch {
  /** They are old: those that are observed are fetched again, the others when they are observed. */
  mark(queries: Iterable<Query>): void;
  /** To be told what happens in the cache. */
  heed(event: QueryCacheNotifyEvent): void;
}

export function createRefetch(queryClient: QueryClient): Refetch {
  const again = new Set<Query>();

  function mark(queries: Iterable<Query>): void {
    const old = new Set<Query>();
    for (const query of queries) (query.state.fetchStatus === 'fetching' ? again : old).add(query);
    // What fails is told by the query itself.
    if (old.size > 0) void queryClient.invalidateQueries({ predicate: (query) => old.has(query) });
  }

  return {
    mark,
    heed({ type, query }) {
      if (type === 'removed') again.delete(query);
      if (type !== 'updated' || query.state.fetchStatus === 'fetching' || !again.delete(query)) return;
      // Not while the cache tells of it.
      queueMicrotask(() => mark([query]));
    },
  };
}
