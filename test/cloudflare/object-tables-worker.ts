/** The Worker of a deployment with the collections of `object-tables.ts`. */
import { COLLECTIONS } from './object-tables.ts';
import { observedCollections } from './observed-collections.ts';

export { SluiceGate, SluiceRelay, SluiceSystem, SluiceTopic } from '../../src/cloudflare/index.ts';

const { SluiceCollections, worker } = observedCollections(COLLECTIONS);

export { SluiceCollections };
export default worker;
