/** The audit: `GET /v1/accesses` (protocol section 8). */
import { Hono } from 'hono';
import { accessListQuerySchema } from '../../protocol/access-schemas.ts';
import type { StoredAccess } from '../../store/audit-store.ts';
import { requireAdmin } from '../authenticate.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, Services } from '../services.ts';
import { validate } from '../validate.ts';

const DEFAULT_LIMIT = 100;

export function accessesRoute({ store }: Services): Hono<Env> {
  return new Hono<Env>().get('/accesses', validate('query', accessListQuerySchema), async (c) => {
    requireAdmin(c.get('principal'));
    if (store.audit === undefined) throw new ProblemError('not-found');
    const { name, sub, since, until, limit = DEFAULT_LIMIT, page } = c.req.valid('query');
    const found = await store.audit.read({
      name,
      sub,
      since: timeOf(since),
      until: timeOf(until),
      after: placeOf(page),
      limit: limit + 1,
    });
    const last = found[limit - 1];
    const accesses = found.slice(0, limit).map(info);
    c.header('Cache-Control', 'no-store');
    return c.json(
      found.length > limit && last !== undefined ? { accesses, next: `${last.since}-${last.id}` } : { accesses },
    );
  });
}

function info({ kind, name, key, sub, role, address, request, node, since, until, count }: StoredAccess) {
  return {
    kind,
    name,
    key,
    sub,
    role,
    address,
    request,
    node,
    since: new Date(since).toISOString(),
    until: until === null ? null : new Date(until).toISOString(),
    ...(count !== null && { count }),
  };
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

function placeOf(page: string | undefined): { readonly since: number; readonly id: number } | undefined {
  if (page === undefined) return undefined;
  const [since = 0, id = 0] = page.split('-').map(Number);
  return { since, id };
}
