/** The collections of a server: a module of the user's that exports them. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OpenCollections } from '../http/live-collections.ts';
import type { Collection } from '../records/collection.ts';
import { StartError } from './start-error.ts';

/**
 * Loads them. The module exports collections, each by a name of its own or several in arrays.
 *
 * @param file a path, from the working directory
 * @throws StartError when the module cannot be loaded, or exports none
 */
export async function loadCollections(
  file: string,
  captureHints: ((hint: () => void) => () => void) | undefined,
): Promise<OpenCollections> {
  // Loaded only where there are collections: what defines tables takes long to load.
  const { liveCollections } = await import('../http/live-collections.ts');
  const module = await load(file);
  const collections = [...new Set(Object.values(module).flat().filter(isCollection))];
  if (collections.length === 0)
    throw new StartError('collections', `${file} exports no collection: export const orders = collection('orders', …)`);
  const names = collections.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new StartError('collections', `${file} exports two collections that are called ${twice}`);
  return liveCollections(collections, { listen: captureHints });
}

async function load(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError('collections', `The collections in ${file} cannot be loaded: ${reason}`, { cause: error });
  }
}

/** By its shape: the module may have its own copy of this package. */
function isCollection(value: unknown): value is Collection {
  return (
    typeof value === 'object' && value !== null && 'visibility' in value && 'byProperty' in value && 'sqlName' in value
  );
}
