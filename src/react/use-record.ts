/** One record of a collection, live. */
import { useCallback, useMemo } from 'react';
import type { Mutation, Row } from '../client/mutation.ts';
import type { Enqueued } from '../client/outbox/outbox.ts';
import type { WriteOptions } from '../client/records/collection.ts';
import type { QueryState } from '../client/records/live-query.ts';
import type { RecordTypes } from '../protocol/definition.ts';
import { useClient } from './use-client.ts';
import type { RecordTypesOf } from './use-records.ts';
import { useStore, whole } from './use-store.ts';

export interface LiveRecord<Types extends RecordTypes = RecordTypesOf<Row>> {
  /** `undefined` while it is not known, when there is none (then `state` is `live`), and when no key was given. */
  readonly row: Types['record'] | undefined;
  /** `closed` when no key was given. */
  readonly state: QueryState;
  /** Own writes of it that the server has not shown yet, or that it refused. */
  readonly pending: readonly Mutation[];
  /** Changes fields of it; what others changed meanwhile is merged. @throws TypeError when there is no key, or a temporary one */
  update(patch: Types['patch'], options?: WriteOptions): Enqueued;
  /** Deletes it. @throws TypeError when there is no key, or a temporary one */
  remove(options?: WriteOptions): Enqueued;
}

type Shown = Pick<LiveRecord, 'row' | 'state' | 'pending'>;

const LOADING: Shown = { row: undefined, state: { kind: 'loading' }, pending: [] };
const CLOSED: Shown = { row: undefined, state: { kind: 'closed' }, pending: [] };

/**
 * One record of a collection, live. It is rendered again only when this record, or a write of it, has changed.
 *
 * All records that are shown so share one reading of their collection. Show lists by `useRecords`, and give their rows to the components below.
 *
 * @typeParam Record the record, as the server's definition says; nobody checks it here
 * @param key `undefined` or `null` while none is chosen: then nothing is read
 * @example
 * ```tsx
 * const { row, pending, update } = useRecord<Order>('orders', id);
 * return <input value={row?.note ?? ''} onChange={({ target }) => update({ note: target.value })} />;
 * ```
 */
export function useRecord<Record extends object = Row>(
  name: string,
  key: string | null | undefined,
): LiveRecord<RecordTypesOf<Record>>;
export function useRecord(name: string, key: string | null | undefined): LiveRecord {
  const collection = useClient().collection(name);
  const of = key ?? undefined;
  const subscribe = useCallback(
    (listener: () => void) => (of === undefined ? () => {} : collection.record(of).subscribe(listener)),
    [collection, of],
  );
  const read = useCallback((): Shown => {
    if (of === undefined) return CLOSED;
    const query = collection.record(of);
    const { rows, state } = query.getSnapshot();
    return { row: rows[0], state, pending: query.pendingOf(of) };
  }, [collection, of]);
  const initial = useCallback(() => (of === undefined ? CLOSED : LOADING), [of]);
  const shown = useStore({ subscribe, read, initial }, whole);
  return useMemo(() => {
    const chosen = () => {
      if (of === undefined) throw new TypeError(`No record of ${name} was chosen: its key is ${key}`);
      return of;
    };
    return {
      ...shown,
      update: (patch, options) => collection.update(chosen(), patch, options),
      remove: (options) => collection.remove(chosen(), options),
    };
  }, [shown, collection, name, key, of]);
}
