/** Mutations in IndexedDB, which all tabs of an origin share: one object store, whose key is `seq`. */
import { OutboxError } from './outbox-error.ts';
import type { OutboxStore } from './store.ts';

const NAME = 'mutations';

/**
 * Opens the database of a name, and creates it when there is none. It is opened again after somebody has closed it.
 *
 * @param factory the browser's `indexedDB`
 * @returns `undefined` where there is none, or it cannot be used: in some private windows, and in frames without an origin
 */
export async function openIndexedDbStore(
  factory: IDBFactory | undefined,
  name: string,
): Promise<OutboxStore | undefined> {
  if (!factory) return undefined;
  let database: IDBDatabase | undefined;

  const open = () =>
    new Promise<IDBDatabase>((resolve, reject) => {
      const request = factory.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(NAME, { keyPath: 'seq' });
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const opened = request.result;
        const forget = () => {
          opened.close();
          database = undefined;
        };
        // Whoever deletes the database, or needs a newer version of it, is not held up by us.
        opened.onversionchange = forget;
        // The browser closes it when somebody clears the data of the site.
        opened.onclose = forget;
        resolve(opened);
      };
    });

  // Why it cannot be had makes no difference: writes are kept in memory then.
  database = await open().catch(() => undefined);
  if (!database) return undefined;
  return {
    shared: true,
    async transact(after, step) {
      try {
        database ??= await open();
        const transaction = database.transaction(NAME, 'readwrite', { durability: 'strict' });
        const mutations = transaction.objectStore(NAME);
        const request = mutations.getAll(IDBKeyRange.lowerBound(after, true));
        request.onsuccess = () => step(request.result, mutations);
        await new Promise((resolve, reject) => {
          transaction.oncomplete = resolve;
          transaction.onabort = () => reject(transaction.error);
        });
      } catch (cause) {
        const isQuota = cause instanceof Error && cause.name === 'QuotaExceededError';
        throw new OutboxError(isQuota ? 'quota' : 'storage', { cause });
      }
    },
    close: () => database?.close(),
  };
}
