/** Sluice on Cloudflare: `main` of `wrangler.toml`, or the parts of a Worker of your own. */
import { createWorker } from './worker.ts';

export { SluiceGate } from './gate-object.ts';
export { SluiceRelay } from './relay-object.ts';
export { SluiceSystem } from './system-object.ts';
export { SluiceTopic } from './topic-object.ts';
export {
  createWorker,
  type SluiceWorker,
  type WorkerCollectionParts,
  type WorkerCollections,
  type WorkerOptions,
} from './worker.ts';

export default createWorker();
