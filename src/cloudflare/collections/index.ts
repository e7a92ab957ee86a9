/** Collections on Cloudflare, over Hyperdrive (`sluice/cloudflare/collections`). */
export type { CollectionsClass, CollectionsMethods } from './collections-object.ts';
export { type EdgeCollections, edgeCollections } from './edge-collections.ts';
