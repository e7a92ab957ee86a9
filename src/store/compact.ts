/** Compaction by key: only the newest event of each key stays. Shared by all stores. */
import { decodeEventBody, type EventBody } from '../protocol/event.ts';
import type { StoredBatch } from './store.ts';

/** The most keys remembered in one run; an event of a key beyond them simply stays. */
export const MAX_COMPACTION_KEYS = 1_000_000;

/**
 * One run over a topic's log, from the newest batch to the oldest.
 *
 * @param upTo events after this seq are never taken away, but supersede older ones
 * @returns `apply`, which gives a batch's new bodies (an empty string in place of an event that went), or `undefined` when the
 *   batch stays as it is; and how many events went so far
 */
export function compactBatches(upTo: number): {
  apply(batch: StoredBatch): readonly EventBody[] | undefined;
  readonly removed: number;
} {
  const seen = new Set<string>();
  let removed = 0;
  return {
    apply({ first, bodies }) {
      const kept = bodies.slice();
      let changed = false;
      for (let index = bodies.length - 1; index >= 0; index -= 1) {
        const body = bodies[index] ?? '';
        // Most bodies have no key, and need not be parsed to be known for it.
        const key = body.includes('"key":') ? decodeEventBody(body).key : undefined;
        if (key === undefined) continue;
        if (seen.has(key) && first + index <= upTo) {
          kept[index] = '';
          removed += 1;
          changed = true;
        } else if (seen.size < MAX_COMPACTION_KEYS) seen.add(key);
      }
      return changed ? kept : undefined;
    },
    get removed() {
      return removed;
    },
  };
}
