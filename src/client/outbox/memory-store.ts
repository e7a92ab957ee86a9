/** Mutations in memory: for Node, for tests, and where a browser gives no storage. A reload loses them. */
import type { Kept, OutboxStore } from './store.ts';

/** @param entries by `seq`; given where they are shared with other stores, as tabs share a database */
export function createMemoryStore(entries = new Map<number, Kept>()): OutboxStore {
  return {
    shared: false,
    async transact(after, step) {
      const news = [...entries.values()].filter(({ seq }) => seq > after);
      step(news, { put: (kept) => entries.set(kept.seq, kept), delete: (seq) => entries.delete(seq) });
    },
    close() {},
  };
}
