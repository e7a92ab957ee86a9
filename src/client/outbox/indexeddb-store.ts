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
    database.createObjectStore(MUTATIONS, { keyPath: 'order', autoIncrement: true }).createIndex('lane', 'lane');
    database.createObjectStore(LOG, { autoIncrement: true });
  });
  /** The last entry of the log that was told. In another database of the same name it means nothing. */
  let told: { readonly database: IDBDatabase; readonly key: number } | undefined;

  async function note(log: IDBObjectStore, entries: readonly Entry[]): Promise<void> {
    const keys = await Promise.all(entries.map((entry) => ask(log.add(entry))));
    const last = keys.at(-1);
    if (typeof last === 'number') await ask(log.delete(IDBKeyRange.upperBound(last - LOG_LIMIT)));
  }

  const store: OutboxStore = {
    shared: true,

    add: (mutation, limit) =>
      transact('readwrite', async (transaction) => {
        const mutations = transaction.objectStore(MUTATIONS);
        if ((await ask(mutations.count())) >= limit) return false;
        const order = await ask(mutations.add(mutation));
        if (typeof order === 'number') await note(transaction.objectStore(LOG), [{ order }]);
        return true;
      }),

    update: (lane, change) =>
      transact('readwrite', async (transaction) => {
        const mutations = transaction.objectStore(MUTATIONS);
        const changes = change(await ask(mutations.index('lane').getAll(lane)));
        for (const { kind, mutation } of changes)
          await (kind === 'gone' ? ask(mutations.delete(mutation.order)) : ask(mutations.put(mutation)));
        const entries = changes.map((change): Entry => {
          const { order } = change.mutation;
          return change.kind === 'gone' ? { order, gone: change } : { order };
        });
        await note(transaction.objectStore(LOG), entries);
        return changes;
      }),

    changes: () =>
      transact('readonly', async (transaction, database) => {
        const mutations = transaction.objectStore(MUTATIONS);
        const log = transaction.objectStore(LOG);
        const after = told?.database === database ? told.key : undefined;
        const newest = (await ask(log.openKeyCursor(null, 'prev')))?.key;
        const key = typeof newest === 'number' ? newest : 0;
        const whole = after === undefined || key - after > LOG_LIMIT;
        const changes = whole
          ? asChanges(await ask(mutations.getAll()))
          : await lookUp(mutations, await ask(log.getAll(IDBKeyRange.lowerBound(after, true))));
        told = { database, key };
        return { whole, changes };
      }),

    close,
  };
  try {
    await transact('readonly', async () => {});
    return store;
  } catch {
    close();
    return undefined;
  }
}

function asChanges(mutations: readonly Mutation[]): readonly MutationChange[] {
  return mutations.map((mutation) => ({ kind: 'changed', mutation }));
}

/** What the entries say, the last of each mutation. */
async function lookUp(mutations: IDBObjectStore, entries: readonly Entry[]): Promise<readonly MutationChange[]> {
  const last = new Map(entries.map((entry) => [entry.order, entry]));
  const changes = await Promise.all(
    [...last.values()].map(async ({ order, gone }) => gone ?? asChanges([await ask<Mutation>(mutations.get(order))])),
  );
  return changes.flat();
}
