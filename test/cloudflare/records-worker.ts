/** The routes of collections in a Worker, over Hyperdrive; who asks is in a header. */

import type { ExecutionContext } from '../../src/cloudflare/platform.ts';
import { openHyperdrive } from '../../src/store/postgres/hyperdrive.ts';
import { FAULTS_HEADER, KICKS_HEADER, PRINCIPAL_HEADER } from '../http/collections/app.ts';
import { decodePrincipal } from '../http/collections/principals.ts';
import { collectionsRoutes } from '../http/collections/routes.ts';

export default {
  async fetch(
    request: Request,
    { HYPERDRIVE }: { readonly HYPERDRIVE: { readonly connectionString: string } },
    ctx: ExecutionContext,
  ): Promise<Response> {
    const database = openHyperdrive(HYPERDRIVE.connectionString);
    const faults: string[] = [];
    let kicks = 0;
    const answer = await collectionsRoutes({
      database,
      principal: ({ headers }) => decodePrincipal(headers.get(PRINCIPAL_HEADER) ?? ''),
      onKick: () => {
        kicks += 1;
      },
      onFault: (fault) => void faults.push(String((fault as { readonly error?: unknown }).error)),
    })(request);
    ctx.waitUntil(database.close());
    const headers = new Headers(answer.headers);
    headers.set(KICKS_HEADER, String(kicks));
    headers.set(FAULTS_HEADER, JSON.stringify(faults).replace(/[^ -~]/g, '?'));
    return new Response(answer.body, { status: answer.status, headers });
  },
};
