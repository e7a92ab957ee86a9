/**
 * The Worker as it is deployed, with a hand on its objects: their sockets can be cut and they can be ended as a deployment or an eviction would,
 * and it is told how often each was woken. In workerd here, objects and the Worker share their module's state.
 */

import { type Bindings, relayOf, topicOf } from '../../src/cloudflare/bindings.ts';
import { createWorker, SluiceRelay, SluiceTopic } from '../../src/cloudflare/index.ts';
import type { ExecutionContext, ObjectState } from '../../src/cloudflare/platform.ts';
import { type Hands, withHands } from './hands.ts';

export { SluiceGate, SluiceSystem } from '../../src/cloudflare/index.ts';

/** How often objects of topics were made, and sockets opened to them. */
const seen = { wakes: 0, sockets: 0 };

class Observed extends withHands(SluiceTopic) {
  constructor(ctx: ObjectState, env: Bindings) {
    super(ctx, env);
    seen.wakes += 1;
  }

  override async fetch(request: Request): Promise<Response> {
    seen.sockets += 1;
    return super.fetch(request);
  }
}

const ObservedRelay = withHands(SluiceRelay);

export { Observed as SluiceTopic, ObservedRelay as SluiceRelay };

const worker = createWorker();

export default {
  async fetch(request: Request, env: Bindings, ctx: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/seen') return Response.json(seen);
    const topic = searchParams.get('topic') ?? '';
    const path = searchParams.get('path');
    const hands = () => (path === null ? topicOf(env, topic) : relayOf(env, topic, path)) as unknown as Hands;
    if (pathname === '/sockets') return Response.json(await hands().sockets());
    if (pathname === '/cut') return Response.json(await hands().cut());
    if (pathname === '/end') {
      await hands()
        .end()
        .catch(() => undefined);
      return Response.json(null);
    }
    return worker.fetch(request, env, ctx);
  },
};
