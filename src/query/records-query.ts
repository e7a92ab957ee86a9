/** Records of a collection as a query of TanStack Query: what the client lists, kept right by its stream while somebody observes it. */
import type { DataTag, QueryFunctionContext } from '@tanstack/query-core';
import type { QueryOptions } from '../client/records/collection.ts';
import type { QuerySnapshot } from '../client/records/live-query.ts';
import { SubscriptionRefused } from '../client/subscriptions/subscription-refused.ts';
import { followRecords } from './follow-records.ts';

/** A live query, of the client's collections of whatever types. */
export interface Live<Record = unknown> {
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => Omit<QuerySnapshot, 'rows'> & { readonly rows: readonly Record[] };
}

/** What `client.collection` gives. */
export interface Queried<Record = unknown> {
  readonly name: string;
  query(options?: QueryOptions): Live<Record>;
}

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
interface Untagged extends Omit<RecordsQuery<unknown>, 'queryKey'> {
  readonly queryKey: RecordsKey;
}

/**
 * Options for `useQuery` and its kin: records of a collection, live, own writes among them as soon as they are made.
 *
 * The client keeps what is cached right while somebody observes it, and a second longer; then it is marked as old. Whoever asks for the same
 * by `useRecords` shares the list and the stream. A refusal is an error, a `SubscriptionRefused` with its `code`.
 *
 * @param collection of the client; where its types are known, so are those of what is cached
 * @param query which of its records
 * @example
 * ```tsx
 * const orders = client.collection('orders');
 * const { data = [], error } = useQuery(recordsQuery(orders, { filter: 'status=eq.open', limit: 50 }));
 * ```
 */
export function recordsQuery<Record extends object>(
  collection: Queried<Record>,
  query?: QueryOptions,
): RecordsQuery<Record>;
/** Of a collection whose types are not known: whoever calls it says what its records are. */
export function recordsQuery<Record extends object>(
  collection: Queried<object>,
  query?: QueryOptions,
): RecordsQuery<Record>;
export function recordsQuery(collection: Queried, query: QueryOptions = {}): Untagged {
  const { name } = collection;
  return {
    queryKey: ['sluice', name, query],
    queryFn: async ({ client: queryClient, queryKey, signal }) => {
      const live = collection.query(query);
      const rows = await readOnce(name, live, signal);
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
function readOnce(collection: string, live: Live, signal: AbortSignal): Promise<readonly unknown[]> {
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
