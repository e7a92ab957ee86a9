/** Mutations in memory: for Node, for tests, and where a browser gives no storage. A reload loses them. */
import type { Mutation, MutationChange } from '../mutation.ts';
import { LOG_LIMIT, type OutboxStore } from './store.ts';

/** What several stores can share, as tabs share a database. */
export interface Memory {
  readonly mutations: Map<number, Mutation>;
  readonly log: MutationChange[];
  /** How many changes were logged ever. */
  logged: number;
  order: number;
}

export function createMemory(): Memory {
  return { mutations: new Map(), log: [], logged: 0, order: 0 };
}

/** @param memory given where it is shared with other stores */
export function createMemoryStore(memory?: Memory): OutboxStore {
  const own = memory ?? createMemory();
  const { mutations, log } = own;
  let told: number | undefined;

  function apply(changes: readonly MutationChange[]): void {
    for (const change of changes) {
      const { mutation } = change;
      if (change.kind === 'gone') mutations.delete(mutation.order);
      else mutations.set(mutation.order, mutation);
      log.push(change);
      own.logged += 1;
    }
    log.splice(0, log.length - LOG_LIMIT);
  }

  // What a change throws rejects, as the promise of a store that is not in memory would.
  return {
    shared: memory !== undefined,
    async add(mutation, limit) {
      if (mutations.size >= limit) return false;
      own.order += 1;
      apply([{ kind: 'changed', mutation: { ...mutation, order: own.order } }]);
      return true;
    },
    async update(lane, change) {
      const changes = change([...mutations.values()].filter((mutation) => mutation.lane === lane));
      apply(changes);
      return changes;
    },
    async changes() {
      const missed = told === undefined ? LOG_LIMIT + 1 : own.logged - told;
      told = own.logged;
      if (missed > LOG_LIMIT)
        return { whole: true, changes: [...mutations.values()].map((mutation) => ({ kind: 'changed', mutation })) };
      return { whole: false, changes: missed === 0 ? [] : log.slice(-missed) };
    },
    close() {},
  };
}
