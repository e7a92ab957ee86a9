/** Collections on Cloudflare, over Hyperdrive (`sluice/cloudflare/collections`). */
export type { CollectionsMethods, CollectionsObject } from './collections-object.ts';
export { type CollectionsClass, type EdgeCollections, edgeCollections } from './edge-collections.ts';
