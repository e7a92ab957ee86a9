/** What this tab knows of the store: kept up with it change by change, whoever makes them. */
import type { Mutation, MutationChange } from '../mutation.ts';
import type { OutboxStore } from './store.ts';

export interface Mirror {
  /** By id, in the order of enqueueing. */
  readonly mutations: ReadonlyMap<string, Mutation>;
  /** Reads what has changed. What the store had when this was called is known when it resolves. @throws OutboxError */
  sync(): Promise<void>;
}

/** @param tell called with each change, after `mutations` has it */
export function createMirror(store: Promise<OutboxStore>, tell: (change: MutationChange) => void): Mirror {
  const mutations = new Map<string, Mutation>();
  let reading: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  async function read(): Promise<void> {
    const { whole, changes } = await (await store).changes();
    if (whole) {
      const before = new Map(mutations);
      mutations.clear();
      for (const { mutation } of changes) before.delete(mutation.id);
      // They went while nobody told us: shown by the stream, most likely, for what is discarded is seldom.
      for (const mutation of before.values()) tell({ kind: 'gone', mutation, why: 'settled' });
    }
    for (const change of changes) {
      const { mutation } = change;
      if (change.kind === 'gone') mutations.delete(mutation.id);
      else mutations.set(mutation.id, mutation);
      tell(change);
    }
  }

  return {
    mutations,
    sync() {
      // A reading that is under way may be too old. All who ask meanwhile share the next one.
      next ??= reading
        .catch(() => {})
        .then(() => {
          next = undefined;
          reading = read();
          return reading;
        });
      return next;
    },
  };
}
