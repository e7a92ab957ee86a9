/** The Worker of a deployment with the collections of `oracle-tables.ts`, and a hand on the object that has their readers. */
import { type CollectionBindings, collectionsOf } from '../../src/cloudflare/collections/bindings.ts';
import { edgeCollections } from '../../src/cloudflare/collections/index.ts';
import { createWorker } from '../../src/cloudflare/index.ts';
import type { ExecutionContext, ObjectState } from '../../src/cloudflare/platform.ts';
import { COLLECTIONS } from '../collections/oracle-tables.ts';

export { SluiceGate, SluiceRelay, SluiceSystem, SluiceTopic } from '../../src/cloudflare/index.ts';

const collections = edgeCollections(COLLECTIONS);
const worker = createWorker({ collections });

export class SluiceCollections extends collections.SluiceCollections {
  /** Closes all sockets of readers. */
  async cut(): Promise<void> {
    for (const socket of this.ctx.getWebSockets()) socket.close(1012, 'cut');
  }

  /** Ends the object, with all that it holds in memory. */
  async end(): Promise<void> {
    (this.ctx as ObjectState & { abort(): void }).abort();
  }
}

interface Hands {
  cut(): Promise<void>;
  end(): Promise<void>;
}

export default {
  async fetch(request: Request, env: CollectionBindings, ctx: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname !== '/cut' && pathname !== '/end') return worker.fetch(request, env, ctx);
    const hands = collectionsOf(env) as unknown as Hands;
    // An object that ends does not answer.
    await (pathname === '/cut' ? hands.cut() : hands.end()).catch(() => undefined);
    return Response.json(null);
  },
};
