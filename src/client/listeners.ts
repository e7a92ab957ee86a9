/** Those who want to know when something has changed. */

export interface Listeners {
  readonly size: number;
  /** @returns how to stop; the same function may listen several times */
  add(listener: () => void): () => void;
  /** Tells those who listen now. What one of them throws keeps nobody else from being told. */
  tell(): void;
  clear(): void;
}

/** @param onError told what a listener threw */
export function createListeners(onError: (error: unknown) => void): Listeners {
  const entries = new Set<() => void>();
  return {
    get size() {
      return entries.size;
    },
    add(listener) {
      const entry = () => listener();
      entries.add(entry);
      return () => entries.delete(entry);
    },
    tell() {
      // Who begins to listen meanwhile is told the next time, who stops is not told any more.
      for (const entry of [...entries]) {
        try {
          if (entries.has(entry)) entry();
        } catch (error) {
          onError(error);
        }
      }
    },
    clear: () => entries.clear(),
  };
}
