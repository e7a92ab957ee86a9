/** Tells caches outside of this library which records are not as they were: by a stream of its own, while somebody listens. */
import { guarded } from '../guarded.ts';
import type { Subscribe } from '../subscription.ts';

export interface Invalidation {
  readonly collection: string;
  /** `undefined`: any of them may have changed. */
  readonly key: string | undefined;
  /** The last that became of it; `missed` when changes may have been missed, or were too many to be named. */
  readonly why: 'insert' | 'update' | 'delete' | 'missed';
}

export interface InvalidationsContext {
  readonly subscribe: Subscribe;
  /** Calls at the end of this turn. */
  readonly schedule: (callback: () => void) => void;
  /** Told what a listener threw. */
  readonly onError: (error: unknown) => void;
}

/** The most records that are named in one turn. */
const MAX_KEYS = 1000;

/**
 * Tells once a turn what has changed, each record once. The first time, that all may have: what was cached before the stream began may
 * be old.
 *
 * @returns ends it
 */
export function listenToInvalidations(
  collection: string,
  { subscribe, schedule, onError }: InvalidationsContext,
  listener: (records: readonly Invalidation[]) => void,
): () => void {
  const gathered = new Map<string | undefined, Invalidation['why']>();
  let isLive = false;

  function add(why: Invalidation['why'], key?: string): void {
    if (gathered.size === 0) schedule(tell);
    if (key === undefined || gathered.size >= MAX_KEYS) {
      gathered.clear();
      gathered.set(undefined, 'missed');
    } else if (!gathered.has(undefined)) gathered.set(key, why);
  }

  function tell(): void {
    const records = Array.from(gathered, ([key, why]) => ({ collection, key, why }));
    gathered.clear();
    if (records.length === 0) return;
    guarded(() => listener(records), onError);
  }

  const subscription = subscribe(
    collection,
    {},
    {
      onEvent: ({ type, key }) => add(type === 'insert' || type === 'delete' ? type : 'update', key),
      onGap: () => add('missed'),
      onState({ kind }) {
        if (kind !== 'live' || isLive) return;
        isLive = true;
        add('missed');
      },
    },
  );
  return () => {
    subscription.close();
    gathered.clear();
  };
}
