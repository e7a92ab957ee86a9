/** Tickets and revocations (protocol section 4). */
import { Hono } from 'hono';
import { revocationSchema, ticketRequestSchema } from '../../protocol/schemas.ts';
import { requireAdmin, requireRight } from '../authenticate.ts';
import { jsonBody } from '../body.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, Services } from '../services.ts';
import { validate } from '../validate.ts';
import { tooManyTopics } from './events.ts';

/** How long a ticket lives unless told, in seconds. */
const DEFAULT_TTL = 3600;

export function credentialsRoute(services: Services): Hono<Env> {
  const { limits, tickets, revocations, announceRevocation } = services;
  const body = jsonBody(limits.requestBytes);
  return new Hono<Env>()
    .post('/tickets', body, validate('json', ticketRequestSchema), async (c) => {
      const { topics, ttl = DEFAULT_TTL, presence = false } = c.req.valid('json');
      const principal = c.get('principal');
      if (principal.kind === 'ticket') throw new ProblemError('forbidden');
      if (topics.length > limits.topicsPerStream) throw tooManyTopics(services);
      requireRight(services, principal, 'subscribe', topics);
      if (presence) requireRight(services, principal, 'presence', topics);
      const issued = await tickets.issue(principal, topics, ttl, presence);
      if (!issued.ok) throw new ProblemError(issued.code);
      const { ticket, id, expires } = issued;
      c.header('Cache-Control', 'no-store');
      return c.json({ ticket, id, topics: issued.topics, expires: new Date(expires).toISOString() }, 201);
    })
    .post('/revocations', body, validate('json', revocationSchema), async (c) => {
      requireAdmin(c.get('principal'));
      const asked = c.req.valid('json');
      await revocations.revoke('sub' in asked ? { kind: 'sub', value: asked.sub } : { kind: 'jti', value: asked.jti });
      announceRevocation();
      return c.body(null, 204);
    });
}
