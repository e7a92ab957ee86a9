/** Collections of a Worker, over Hyperdrive. */
import type { TypesOf } from '../../http/live-collections.ts';
import type { Defines } from '../../protocol/definition.ts';
import type { Collection } from '../../records/collection.ts';
import { openHyperdrive } from '../../store/postgres/hyperdrive.ts';
import { createPooledStore } from '../../store/postgres/postgres-store.ts';
import type { ObjectState } from '../platform.ts';
import type { WorkerCollections } from '../worker.ts';
import { type CollectionBindings, collectionBindingsOf, collectionsOf } from './bindings.ts';
import { CollectionsObject } from './collections-object.ts';
import { rememberTables } from './remembered-tables.ts';
import { RequestCollections } from './request-collections.ts';
import { createRoutedLog } from './routed-log.ts';

/** The class of an object, as the runtime makes it. */
export type CollectionsClass = new (ctx: ObjectState, env: CollectionBindings) => CollectionsObject;

export interface EdgeCollections extends WorkerCollections {
  /** The class of the object that has their readers, to be exported. */
  readonly SluiceCollections: CollectionsClass;
}

/**
 * Makes tables live resources of a Worker. It wants the bindings `HYPERDRIVE`, of a Hyperdrive that does not cache, and
 * `SLUICE_COLLECTIONS`, of the class that is answered here.
 *
 * @param collections all that there are
 * @throws TypeError when two have one name
 * @example
 * ```ts
 * const collections = edgeCollections([orders, customers]);
 * export const { SluiceCollections } = collections;
 * export default createWorker({ collections });
 * ```
 */
export function edgeCollections<const Collections extends readonly Collection[]>(
  collections: Collections,
): EdgeCollections & Defines<{ readonly collections: TypesOf<Collections[number]> }> {
  const names = collections.map(({ name }) => name);
  if (new Set(names).size < names.length) throw new TypeError('two collections have one name');
  const remembered = rememberTables(collections);
  return {
    SluiceCollections: class SluiceCollections extends CollectionsObject {
      constructor(ctx: ObjectState, env: CollectionBindings) {
        super(ctx, env, collections);
      }
    },
    check: (env) => void collectionBindingsOf(env),
    open({ bindings: env, store, waitUntil, onSubscribers }) {
      const bindings = collectionBindingsOf(env);
      const postgres = createPooledStore(openHyperdrive(bindings.HYPERDRIVE.connectionString), remembered.identity);
      const log = createRoutedLog(names, postgres.log, store.log);
      return {
        store: {
          ...store,
          log: {
            ...log,
            async topic(name) {
              const status = await log.topic(name);
              // Without the object nobody is counted, and the log is there all the same.
              if (status !== undefined && names.includes(name))
                onSubscribers(
                  name,
                  await collectionsOf(bindings)
                    .readers(name)
                    .catch(() => 0),
                );
              return status;
            },
          },
        },
        collections: (parts) =>
          new RequestCollections({
            bindings,
            collections,
            remembered,
            store: postgres,
            secret: () => store.secret('record-pages'),
            waitUntil,
            parts,
          }),
      };
    },
  };
}
