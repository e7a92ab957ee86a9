/**
 * Mutations in IndexedDB, which all tabs of an origin share.
 *
 * Two object stores: `mutations`, whose key counts up by itself and is a mutation's `order`, with an index by lane; and `log`, whose key
 * counts up without gaps, with an entry for each change. An entry names the mutation that changed, and holds it only where it is gone,
 * since it is nowhere else then.
 */
import type { Mutation, MutationChange } from '../mutation.ts';
import { ask, createDatabase } from './database.ts';
import { LOG_LIMIT, type OutboxStore } from './store.ts';

const MUTATIONS = 'mutations';
const LOG = 'log';

interface Entry {
  readonly order: number;
  readonly gone?: MutationChange;
}

/**
 * Opens the database of a name, and creates it when there is none.
 *
 * @param factory the browser's `indexedDB`
 * @returns `undefined` where there is none, or it cannot be used: in some private windows, and in frames without an origin
 */
export async function openIndexedDbStore(
  factory: IDBFactory | undefined,
  name: string,
): Promise<OutboxStore | undefined> {
  if (factory === undefined) return undefined;
  const { transact, close } = createDatabase(factory, name, (database) => {
    const options = { autoIncrement: true };
    database.createObjectStore(MUTATIONS, { ...options, keyPath: 'order' }).createIndex('lane', 'lane');
    database.createObjectStore(LOG, options);
  });
  /** The last entry of the log that was told. In another database of the same name it means nothing. */
  let told: { readonly database: IDBDatabase; readonly key: number } | undefined;

  async function note(log: IDBObjectStore, entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      const key = numberOf(await ask(log.add(entry)));
      await ask(log.delete(IDBKeyRange.upperBound(key - LOG_LIMIT)));
    }
  }

  try {
    await transact('readonly', async () => {});
  } catch {
    close();
    return undefined;
  }
  return {
    shared: true,

    add: (mutation, limit) =>
      transact('readwrite', async (store) => {
        const mutations = store(MUTATIONS);
        if ((await ask(mutations.count())) >= limit) return false;
        const order = numberOf(await ask(mutations.add(mutation)));
        await note(store(LOG), [{ order }]);
        return true;
      }),

    update: (lane, change) =>
      transact('readwrite', async (store) => {
        const mutations = store(MUTATIONS);
        const changes = change(await ask(mutations.index('lane').getAll(lane)));
        const entries: Entry[] = [];
        for (const each of changes) {
          const { mutation } = each;
          const { order } = mutation;
          const isGone = each.kind === 'gone';
          await (isGone ? ask(mutations.delete(order)) : ask(mutations.put(mutation)));
          entries.push(isGone ? { order, gone: each } : { order });
        }
        await note(store(LOG), entries);
        return changes;
      }),

    changes: () =>
      transact('readonly', async (store, database) => {
        const mutations = store(MUTATIONS);
        const log = store(LOG);
        const after = told?.database === database ? told.key : undefined;
        const key = numberOf((await ask(log.openKeyCursor(null, 'prev')))?.key);
        const whole = after === undefined || key - after > LOG_LIMIT;
        const changes = whole
          ? asChanges(await ask(mutations.getAll()))
          : await lookUp(mutations, await ask(log.getAll(IDBKeyRange.lowerBound(after, true))));
        told = { database, key };
        return { whole, changes };
      }),

    close,
  };
}

/** The keys of both object stores are numbers, from 1 on. */
function numberOf(key: IDBValidKey | undefined): number {
  return typeof key === 'number' ? key : 0;
}

function asChanges(mutations: readonly Mutation[]): readonly MutationChange[] {
  return mutations.map((mutation) => ({ kind: 'changed', mutation }));
}

/** What the entries say, the last of each mutation. */
async function lookUp(mutations: IDBObjectStore, entries: readonly Entry[]): Promise<readonly MutationChange[]> {
  const last = new Map(entries.map((entry) => [entry.order, entry]));
  const changes: MutationChange[] = [];
  for (const { order, gone } of last.values())
    changes.push(gone ?? { kind: 'changed', mutation: await ask<Mutation>(mutations.get(order)) });
  return changes;
}
