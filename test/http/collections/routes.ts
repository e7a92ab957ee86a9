/** The routes of collections alone, on any runtime. */
import { Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { Principal } from '../../../src/auth/principal.ts';
import { createRights } from '../../../src/auth/rights.ts';
import { requireLegibleUrl } from '../../../src/http/legible-url.ts';
import { SILENT } from '../../../src/http/log.ts';
import { problemResponse, respondToError } from '../../../src/http/problem-error.ts';
import { collectionsRoute } from '../../../src/http/routes/collections.ts';
import type { Env } from '../../../src/http/services.ts';
import { DEFAULT_LIMITS } from '../../../src/protocol/limits.ts';
import { createRecords, type RecordsOptions } from '../../../src/records/records.ts';
import type { Database } from '../../../src/store/postgres/database.ts';
import { COLLECTIONS } from './tables.ts';

export interface CollectionsRoutes {
  readonly database: Database;
  readonly principal: (request: Request) => Principal;
  readonly onKick: () => void;
  readonly onFault: (fault: object) => void;
  readonly options?: Partial<RecordsOptions>;
}

export function collectionsRoutes({
  database,
  principal,
  onKick,
  onFault,
  options,
}: CollectionsRoutes): (request: Request) => Promise<Response> {
  const records = createRecords({
    database,
    collections: COLLECTIONS,
    epochOf: (_, incarnation) => `abcde0000${incarnation}`,
    drained: (work) => database.transaction(work, { isolation: 'repeatable read' }),
    kick: onKick,
    secret: async () => new Uint8Array(32).fill(7),
    ...options,
  });
  const log = { ...SILENT, error: onFault };
  const hono = new Hono<Env>()
    .onError(respondToError(log))
    .notFound((c) => problemResponse(c, 'not-found'))
    .use(requireLegibleUrl)
    .use(async (c, next) => {
      c.set('principal', principal(c.req.raw));
      await next();
    });
  hono.use(methodNotAllowed({ app: hono, onMethodNotAllowed: (c) => problemResponse(c, 'method-not-allowed') }));
  const callers = { write: () => ({ ok: true }) as const, stream: () => undefined };
  hono.route('/v1', collectionsRoute({ records, callers, limits: DEFAULT_LIMITS, rights: createRights() }));
  return async (request) => hono.fetch(request);
}
