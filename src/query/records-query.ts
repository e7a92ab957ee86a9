/** Records of a collection as a query of TanStack Query: what the client lists, kept right by its stream while somebody observes it. */
import type { DataTag, QueryFunctionContext } from '@tanstack/query-core';
import type { Client } from '../client/create-client.ts';
import type { Row } from '../client/mutation.ts';
import type { QueryOptions } from '../client/records/collection.ts';
import type { LiveQuery } from '../client/records/live-query.ts';
import { SubscriptionRefused } from '../client/subscriptions/live-subscription.ts';
import { followRecords } from './follow-records.ts';

type RecordsKey = readonly ['sluice', string, QueryOptions];

export interface RecordsQuery<Record> {
  /** `['sluice', collection, query]`, which knows what is cached under it. */
  readonly queryKey: DataTag<RecordsKey, readonly Record[], Error>;
  readonly queryFn: (context: QueryFunctionContext<RecordsKey>) => Promise<readonly Record[]>;
  /** 0: to fetch what is followed already costs nothing, and what comes from a server or a store of the browser begins to be followed by it. */
  readonly staleTime: 0;
  /** `always`: the client knows better whether there is a network, and has own writes to show where there is none. */
  readonly networkMode: 'always';
  /** Whatever is not refused for good is tried again by the client itself. */
  readonly retry: false;
}

/** As it is without the tag of its types, of which there is nothing when it runs. */
interface Untagged extends Omit<RecordsQuery<Row>, 'queryKey'> {
  readonly queryKey: RecordsKey;
}

/**
 * Options for `useQuery` and its kin: records of a collection, live, own writes among them as soon as they are made.
 *
 * The client keeps what is cached right while somebody observes it, and a second longer; then it is marked as old. Whoever asks for the same
 * by `useRecords` shares the list and the stream. A refusal is an error, a `SubscriptionRefused` with its `code`.
 *
 * @typeParam Record a record, as the server's definition says; nobody checks it here
 * @example
 * ```tsx
 * const { data = [], error } = useQuery(recordsQuery<Order>(client, 'orders', { filter: 'status=eq.open', limit: 50 }));
 * ```
 */
export function recordsQuery<Record extends object = Row>(
  client: Client,
  collection: string,
  query?: QueryOptions,
): RecordsQuery<Record>;
export function recordsQuery(client: Client, collection: string, query: QueryOptions = {}): Untagged {
  return {
    queryKey: ['sluice', collection, query],
    queryFn: async ({ client: queryClient, queryKey, signal }) => {
      const live = client.collection(collection).query(query);
      const rows = await readOnce(collection, live, signal);
      const cached = queryClient.getQueryCache().find({ queryKey });
      if (cached !== undefined) followRecords(queryClient, cached, live);
      return rows;
    },
    staleTime: 0,
    networkMode: 'always',
    retry: false,
  };
}

/** What a live query knows, as soon as it knows anything. */
function readOnce(collection: string, live: LiveQuery, signal: AbortSignal): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    function look(): void {
      const { rows, state } = live.getSnapshot();
      if (state.kind === 'loading') return;
      end();
      if (state.kind === 'refused') reject(new SubscriptionRefused(collection, state.code));
      else resolve(rows);
    }
    function end(): void {
      unsubscribe();
      signal.removeEventListener('abort', end);
    }
    const unsubscribe = live.subscribe(look);
    signal.addEventListener('abort', end);
    look();
  });
}
