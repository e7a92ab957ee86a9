/** A database of IndexedDB: opened when it is needed, and opened again after somebody has closed it. */
import { OutboxError } from './outbox-error.ts';

export interface Database {
  /**
   * Runs `work` in one transaction, and resolves once it is durable. `work` awaits nothing but {@link ask}: a transaction ends by itself
   * when nothing is asked of it. What it throws undoes everything.
   * @throws OutboxError `quota` or `storage`
   */
  transact<Result>(
    mode: 'readonly' | 'readwrite',
    work: (store: (name: string) => IDBObjectStore, database: IDBDatabase) => Promise<Result>,
  ): Promise<Result>;
  close(): void;
}

/**
 * @param factory the browser's `indexedDB`
 * @param create makes the object stores of a new database
 */
export function createDatabase(factory: IDBFactory, name: string, create: (database: IDBDatabase) => void): Database {
  let opened: Promise<IDBDatabase> | undefined;
  let closed = false;

  function open(): Promise<IDBDatabase> {
    const opening = new Promise<IDBDatabase>((resolve, reject) => {
      const request = factory.open(name, 1);
      request.onupgradeneeded = () => create(request.result);
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error('blocked'));
      request.onsuccess = () => {
        const database = request.result;
        // Whoever deletes the database, or needs a newer version of it, is not held up by us.
        database.onversionchange = () => {
          database.close();
          forget();
        };
        // The browser closes it when somebody clears the data of the site.
        database.onclose = forget;
        resolve(database);
      };
    });
    const forget = () => {
      if (opened === opening) opened = undefined;
    };
    opening.catch(forget);
    return opening;
  }

  async function transact<Result>(
    mode: 'readonly' | 'readwrite',
    work: (store: (name: string) => IDBObjectStore, database: IDBDatabase) => Promise<Result>,
  ): Promise<Result> {
    if (closed) throw new Error('closed');
    opened ??= open();
    const database = await opened;
    const transaction = database.transaction(database.objectStoreNames, mode, { durability: 'strict' });
    const committed = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    const result = work((store) => transaction.objectStore(store), database).catch((error: unknown) => {
      try {
        transaction.abort();
      } catch {
        // Aborted already: that is why the work failed.
      }
      throw error;
    });
    const [value] = await Promise.all([result, committed]);
    return value;
  }

  return {
    transact: (mode, work) =>
      transact(mode, work).catch((cause: unknown) => {
        throw new OutboxError(isQuota(cause) ? 'quota' : 'storage', { cause });
      }),
    close() {
      closed = true;
      opened?.then((database) => database.close()).catch(() => {});
    },
  };
}

/** The answer to one request of a transaction. */
export function ask<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function isQuota(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'QuotaExceededError';
}
