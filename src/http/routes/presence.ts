/** Who is here: `/v1/presence/{topic}` and `/v1/presence/{topic}/{member}` (protocol section 5). */
import { Hono } from 'hono';
import { parseJson } from '../../protocol/json.ts';
import { PRESENCE_STATE_BYTES } from '../../protocol/limits.ts';
import { memberParamSchema, presencePutSchema } from '../../protocol/presence-schemas.ts';
import { topicParamSchema } from '../../protocol/schemas.ts';
import type { StoredLease } from '../../store/presence-store.ts';
import { requireRight } from '../authenticate.ts';
import { readOptionalJson } from '../body.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, RequestContext, Services } from '../services.ts';
import { bindLease } from '../stream-lease.ts';
import { invalid, validate } from '../validate.ts';
import { keyOwner, requireRate } from '../write-request.ts';

export function presenceRoute(services: Services): Hono<Env> {
  const { limits, presence, streamControl } = services;
  return new Hono<Env>()
    .get('/presence/:topic', validate('param', topicParamSchema), async (c) => {
      const { topic } = c.req.valid('param');
      requireRight(services, c.get('principal'), 'presence', [topic]);
      if (presence === undefined) throw new ProblemError('not-found');
      const members = (await presence.list(topic)).map(info);
      c.header('Cache-Control', 'no-store');
      return c.json({ members });
    })
    .put('/presence/:topic/:member', validate('param', memberParamSchema), async (c) => {
      const { topic, member } = c.req.valid('param');
      const principal = c.get('principal');
      await requireWriter(c, services, topic);
      if (presence === undefined) throw new ProblemError('not-found');
      const { state, ttl, stream } = readLease(await readOptionalJson(c, limits.requestBytes));
      const owner = await keyOwner(principal);
      const most = limits.membersPerTopic;
      const ttlMs = ttl === undefined ? undefined : ttl * 1000;
      const join = { topic, member, owner, state, ttlMs, stream, most };
      const joined = await bindLease({ presence, streamControl }, principal, join);
      if (joined.kind === 'taken') throw takenBy(c);
      if (joined.kind === 'full') {
        const detail = `A topic has at most ${most} members.`;
        throw new ProblemError('too-many-members', { detail, headers: { 'Retry-After': RETRY_AFTER } });
      }
      const { lease } = joined;
      return c.json({ ...info(lease), expires: new Date(lease.expires).toISOString() });
    })
    .delete('/presence/:topic/:member', validate('param', memberParamSchema), async (c) => {
      const { topic, member } = c.req.valid('param');
      const principal = c.get('principal');
      await requireWriter(c, services, topic);
      if (presence === undefined) throw new ProblemError('not-found');
      const owner = principal.grants.admin ? undefined : await keyOwner(principal);
      const left = await presence.leave({ topic, member, owner });
      if (left.kind === 'taken') throw takenBy(c);
      return c.body(null, 204);
    });
}

interface LeaseWish {
  readonly state: string | undefined;
  /** Seconds. */
  readonly ttl: number | undefined;
  readonly stream: string | undefined;
}

/** Seconds after which a topic that is full may have room. */
const RETRY_AFTER = '5';

/** A ticket only reads. @throws ProblemError */
async function requireWriter(c: RequestContext, services: Services, topic: string): Promise<void> {
  const principal = c.get('principal');
  requireRight(services, principal, 'presence', [topic]);
  if (principal.kind === 'ticket') throw new ProblemError('forbidden');
  await requireRate(services.callers.write(principal, c.get('address')));
}

/** The name is somebody else's: without a token it may yet be the caller's own. */
function takenBy(c: RequestContext): ProblemError {
  return new ProblemError(c.get('principal').kind === 'anonymous' ? 'token-required' : 'forbidden');
}

/** What a body asks for, its state as JSON. @throws ProblemError `invalid`, `too-large` */
function readLease(value: unknown): LeaseWish {
  const read = presencePutSchema.safeParse(value);
  if (!read.success) throw invalid(read.error.issues);
  const { state, ttl, stream } = read.data;
  const text = state === undefined ? undefined : JSON.stringify(state);
  if (new TextEncoder().encode(text).byteLength > PRESENCE_STATE_BYTES)
    throw new ProblemError('too-large', { detail: `A state has at most ${PRESENCE_STATE_BYTES} bytes of JSON.` });
  return { state: text, ttl, stream };
}

function info({ member, state, since, seen }: StoredLease) {
  const parsed = parseJson(state);
  return {
    member,
    state: parsed.ok ? parsed.value : null,
    since: new Date(since).toISOString(),
    seen: new Date(seen).toISOString(),
  };
}
