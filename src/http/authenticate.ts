/** The middleware that says who is asking, and the questions that routes ask of them (protocol section 4). */
import type { Principal } from '../auth/principal.ts';
import { looksLikeToken } from '../auth/tickets.ts';
import type { Action } from '../protocol/grants.ts';
import { ProblemError } from './problem-error.ts';
import type { Middleware, RequestContext, Services } from './services.ts';
import { MAX_ISSUES } from './validate.ts';

export interface AuthenticateOptions {
  /** Where a request comes from. */
  readonly address: (c: RequestContext) => string | undefined;
  /** Whether a request without a token comes from this machine and may do everything. Only ever true in development. */
  readonly local: (c: RequestContext) => boolean;
}

export function authenticate(
  { authenticator }: Pick<Services, 'authenticator'>,
  { address, local }: AuthenticateOptions,
): Middleware {
  return async (c, next) => {
    if (c.req.url.includes('eyJ') && Object.values(c.req.queries()).flat().some(looksLikeToken)) {
      throw new ProblemError('token-in-url');
    }
    const answer = authenticator.authenticate(
      { authorization: c.req.header('Authorization'), ticket: c.req.query('ticket') },
      { local: local(c) },
    );
    const result = answer instanceof Promise ? await answer : answer;
    if (!result.ok) throw new ProblemError(result.code);
    c.set('principal', result.principal);
    c.set('address', address(c));
    await next();
  };
}

/** Where in a body a topic stands, as a dotted path. */
export type PlaceOf = (topic: string) => string;

/**
 * Passes when the principal may do this on every topic. Whether a topic exists plays no part in it. A collection of which Postgres
 * decides who sees what may be read by everybody, but not by a ticket that does not name it.
 *
 * @param placeOf where the topics stand in the body: then the problem says which of them may not be read
 * @throws ProblemError `token-required` without a token, else `forbidden`
 */
export function requireRight(
  { rights, collections }: Pick<Services, 'rights'> & Partial<Pick<Services, 'collections'>>,
  principal: Principal,
  action: Action,
  topics: readonly string[],
  placeOf?: PlaceOf,
): void {
  const isOpen = (topic: string) =>
    action === 'subscribe' && principal.kind !== 'ticket' && collections?.isDecidedByPostgres(topic) === true;
  const lacking = topics.filter((topic) => !rights.may(principal, action, topic) && !isOpen(topic));
  if (lacking.length === 0) return;
  const errors = lacking
    .slice(0, MAX_ISSUES)
    .map((topic) => ({ path: placeOf?.(topic) ?? '', message: 'not allowed' }));
  const code = principal.kind === 'anonymous' ? 'token-required' : 'forbidden';
  throw new ProblemError(code, placeOf === undefined ? {} : { errors });
}

/**
 * Passes when the principal may be told who is at the topics.
 * @throws ProblemError as {@link requireRight}; `not-found` where the server does not know
 */
export function requireWatch(
  services: Pick<Services, 'rights' | 'presence'>,
  principal: Principal,
  topics: readonly string[],
  placeOf?: PlaceOf,
): void {
  requireRight(services, principal, 'presence', topics, placeOf && ((topic) => `${placeOf(topic)}.presence`));
  if (topics.length > 0 && services.presence === undefined) throw new ProblemError('not-found');
}

/** @throws ProblemError unless the principal is an administrator */
export function requireAdmin(principal: Principal): void {
  if (principal.grants.admin) return;
  throw new ProblemError(principal.kind === 'anonymous' ? 'token-required' : 'forbidden');
}
