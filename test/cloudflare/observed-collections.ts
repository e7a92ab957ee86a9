/**
 * A Worker with collections as it is deployed, with a hand on the object that has their readers: its sockets can be cut, it can be ended, and it is told
 * how often it was woken. In workerd here, objects and the Worker share their module's state.
 */
import { type CollectionBindings, collectionsOf } from '../../src/cloudflare/collections/bindings.ts';
import { edgeCollections } from '../../src/cloudflare/collections/index.ts';
import { createWorker } from '../../src/cloudflare/index.ts';
import type { ExecutionContext, ObjectState } from '../../src/cloudflare/platform.ts';
import type { Collection } from '../../src/records/collection.ts';
import { type Hands, withHands } from './hands.ts';

export function observedCollections(tables: readonly Collection[]) {
  const collections = edgeCollections(tables);
  const worker = createWorker({ collections });
  /** How often the object was made, and sockets opened to it. */
  const seen = { wakes: 0, sockets: 0 };

  class SluiceCollections extends withHands(collections.SluiceCollections) {
    constructor(ctx: ObjectState, env: CollectionBindings) {
      super(ctx, env);
      seen.wakes += 1;
    }

    override async fetch(request: Request): Promise<Response> {
      seen.sockets += 1;
      return super.fetch(request);
    }
  }

  return {
    SluiceCollections,
    worker: {
      async fetch(request: Request, env: CollectionBindings, ctx: ExecutionContext): Promise<Response> {
        const { pathname } = new URL(request.url);
        if (pathname === '/seen') return Response.json(seen);
        if (pathname !== '/cut' && pathname !== '/end') return worker.fetch(request, env, ctx);
        const hands = collectionsOf(env) as unknown as Hands;
        // An object that ends does not answer.
        await (pathname === '/cut' ? hands.cut() : hands.end()).catch(() => undefined);
        return Response.json(null);
      },
    },
  };
}
