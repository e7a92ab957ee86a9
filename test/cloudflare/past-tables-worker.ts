/** The Worker of a deployment with the collections of `past-tables.ts`. */
import { edgeCollections } from '../../src/cloudflare/collections/index.ts';
import { createWorker } from '../../src/cloudflare/index.ts';
import { COLLECTIONS } from '../collections/past-tables.ts';

export { SluiceGate, SluiceRelay, SluiceSystem, SluiceTopic } from '../../src/cloudflare/index.ts';

const collections = edgeCollections(COLLECTIONS);
export const { SluiceCollections } = collections;
export default createWorker({ collections });
