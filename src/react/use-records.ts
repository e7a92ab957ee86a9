/** Records of a collection, live. */
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { Row } from '../client/mutation.ts';
import type { QueryOptions } from '../client/records/collection.ts';
import type { QuerySnapshot } from '../client/records/live-query.ts';
import type { TypedCollection } from '../client/typed-client.ts';
import type { RecordTypes } from '../protocol/definition.ts';
import { useClient } from './use-client.ts';
import { useSame } from './use-same.ts';

/** What is known of records where only their own type is. */
export interface RecordTypesOf<Record extends object> extends RecordTypes {
  readonly record: Record;
  readonly insert: Partial<Record>;
  readonly replace: Partial<Record>;
  readonly patch: Partial<Record>;
}

/** What can be done to records. The same functions at every render. */
export interface RecordActions<Types extends RecordTypes>
  extends Pick<TypedCollection<Types>, 'create' | 'update' | 'replace' | 'remove' | 'pendingOf' | 'keyOf'> {
  /** Reads the list again, now; for instance after it was refused. */
  refresh(): void;
}

export interface Records<Types extends RecordTypes = RecordTypesOf<Row>>
  extends Omit<QuerySnapshot, 'rows'>,
    RecordActions<Types> {
  /** In order, own writes among them as soon as they are made; the same object for a row that does not change. */
  readonly rows: readonly Types['record'][];
}

/** What is known before anything is: what a server shows. */
const LOADING: QuerySnapshot = { rows: [], state: { kind: 'loading' }, more: false };
const loading = () => LOADING;

/**
 * Records of a collection, live: a list, kept right by the stream, with the client's own writes over it.
 *
 * Components that ask for the same share one list and one stream. It begins when the first is shown, and ends a second after the last.
 *
 * @typeParam Record a record, as the server's definition says; nobody checks it here
 * @param query which of them; as long as it says the same, it may be another object
 * @example
 * ```tsx
 * const { rows, state, update } = useRecords<Order>('orders', { filter: 'status=eq.open', order: 'placedAt.desc', limit: 50 });
 * if (state.kind === 'loading') return <p>…</p>;
 * return rows.map(({ id, note }) => <li key={id} onClick={() => update(`${id}`, { status: 'paid' })}>{note}</li>);
 * ```
 */
export function useRecords<Record extends object = Row>(
  name: string,
  query?: QueryOptions,
): Records<RecordTypesOf<Record>>;
export function useRecords(name: string, query: QueryOptions = {}): Records {
  const collection = useClient().collection(name);
  const asked = useSame(query);
  // Asked for anew at each use: a query that nobody has subscribed to for a while is not the one that others would be given.
  const subscribe = useCallback(
    (listener: () => void) => collection.query(asked).subscribe(listener),
    [collection, asked],
  );
  const read = useCallback(() => collection.query(asked).getSnapshot(), [collection, asked]);
  const snapshot = useSyncExternalStore(subscribe, read, loading);
  return useMemo(() => {
    const { create, update, replace, remove, pendingOf, keyOf } = collection;
    const refresh = () => collection.query(asked).refresh();
    return { ...snapshot, create, update, replace, remove, pendingOf, keyOf, refresh };
  }, [snapshot, collection, asked]);
}
