/** What a component shows of something outside of React, rendered again only when that has changed. */
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { isEqual } from './is-equal.ts';

export interface Store<Snapshot> {
  /** The same function while it is the same store, or React subscribes anew. */
  readonly subscribe: (listener: () => void) => () => void;
  /** May put another object together each time, if it is plain. */
  readonly read: () => Snapshot;
  /** What is shown by a server, and first where a page comes from one. */
  readonly initial: () => Snapshot;
}

interface Seen<Value> {
  readonly value: Value;
}

/** @returns what was selected, or what it was before if that is equal */
export function useStore<Snapshot, Value>(store: Store<Snapshot>, select: (snapshot: Snapshot) => Value): Value {
  const { subscribe, read, initial } = store;
  const rendered = useRef<Seen<Value> | undefined>(undefined);
  const [getSnapshot, getServerSnapshot] = useMemo(
    () => [steady(read, select, rendered), steady(initial, select, rendered)],
    [read, initial, select],
  );
  const value = useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);
  useEffect(() => {
    rendered.current = { value };
  }, [value]);
  return value;
}

/** React wants the same object from two readings of the same state, however it was put together. */
function steady<Snapshot, Value>(
  read: () => Snapshot,
  select: (snapshot: Snapshot) => Value,
  rendered: { readonly current: Seen<Value> | undefined },
): () => Value {
  let last: (Seen<Value> & { readonly of: Snapshot }) | undefined;
  return () => {
    const of = read();
    if (last !== undefined && Object.is(last.of, of)) return last.value;
    const value = select(of);
    const known = last ?? rendered.current;
    last = { of, value: known !== undefined && isEqual(known.value, value) ? known.value : value };
    return last.value;
  };
}

/** Selects all of it. */
export function whole<Snapshot>(snapshot: Snapshot): Snapshot {
  return snapshot;
}
