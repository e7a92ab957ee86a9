/** What a deployment with collections gives besides. */
import { parseDuration } from '../../config/units.ts';
import type { Bindings } from '../bindings.ts';
import type { ObjectNamespace } from '../platform.ts';
import type { CollectionsMethods } from './collections-object.ts';

export interface CollectionBindings extends Bindings {
  readonly SLUICE_COLLECTIONS: ObjectNamespace<CollectionsMethods>;
  /** The database. Its queries must not be cached. */
  readonly HYPERDRIVE: { readonly connectionString: string };
}

/** @throws Error that names what is missing */
export function collectionBindingsOf(env: object): CollectionBindings {
  for (const name of ['SLUICE_COLLECTIONS', 'HYPERDRIVE'])
    if (!(name in env)) throw new Error(`collections need the binding ${name}: see docs/guides/cloudflare.md`);
  captureIntervalOf(env);
  return env as CollectionBindings;
}

/** The object that has the collections' readers, and moves the changes of their tables. */
export function collectionsOf({ SLUICE_COLLECTIONS }: CollectionBindings) {
  return SLUICE_COLLECTIONS.get(SLUICE_COLLECTIONS.idFromName('collections'));
}

/** How often what others than this API write is looked for, while somebody reads, unless told, in ms. */
const INTERVAL_MS = 2000;
/** The least that may be told: each look asks the database. */
const SHORTEST_MS = 100;

/** `CAPTURE_INTERVAL`, in ms: 2 s unless told. @throws Error when it is no duration of at least 100 ms */
export function captureIntervalOf(env: object): number {
  const { CAPTURE_INTERVAL: text }: { readonly CAPTURE_INTERVAL?: unknown } = { ...env };
  if (text === undefined || text === '') return INTERVAL_MS;
  const interval = typeof text === 'string' ? parseDuration(text) : undefined;
  if (interval === undefined || interval < SHORTEST_MS)
    throw new Error('CAPTURE_INTERVAL must be a duration of at least 100ms, such as 2s');
  return interval;
}
