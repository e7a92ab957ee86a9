/** Those who want to know when something has changed. */
import { guarded } from './guarded.ts';

/** @typeParam Change what they are told */
export interface Listeners<Change extends readonly unknown[] = []> {
  readonly size: number;
  /** @returns how to stop; the same function may listen several times */
  add(listener: (...change: Change) => void): () => void;
  /** Tells those who listen now. What one of them throws keeps nobody else from being told. */
  tell(...change: Change): void;
  clear(): void;
}

/** @param onError told what a listener threw */
export function createListeners<Change extends readonly unknown[] = []>(
  onError: (error: unknown) => void,
): Listeners<Change> {
  const entries = new Set<(...change: Change) => void>();
  return {
    get size() {
      return entries.size;
    },
    add(listener) {
      const entry = (...change: Change) => listener(...change);
      entries.add(entry);
      return () => entries.delete(entry);
    },
    tell(...change) {
      // Who begins to listen meanwhile is told the next time, who stops is not told any more.
      for (const entry of [...entries]) guarded(() => entries.has(entry) && entry(...change), onError);
    },
    clear: () => entries.clear(),
  };
}
