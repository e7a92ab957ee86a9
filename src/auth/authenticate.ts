/** Who is this request? One answer from all that it carries (protocol section 4). */
import { ALL_GRANTS, compileGrants, type GrantsClaim, NO_GRANTS } from '../protocol/grants.ts';
import { ANONYMOUS_ROLE, DEFAULT_ROLE } from './claims.ts';
import type { Authentication, Credentials, Principal } from './principal.ts';
import { INVALID } from './refusals.ts';
import type { Revocations } from './revocations.ts';
import { looksLikeToken, type Tickets } from './tickets.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface AuthenticatorOptions {
  /** Without one, every bearer token is refused. */
  readonly verifier?: TokenVerifier | undefined;
  readonly tickets: Pick<Tickets, 'verify'>;
  readonly revocations: Pick<Revocations, 'isRevoked'>;
  /** What a request without credentials may do. Default nothing. */
  readonly anonymous?: GrantsClaim | undefined;
}

export interface Authenticator {
  /**
   * Answers at once when the credential was verified lately or there is none; a promise otherwise.
   *
   * - An `Authorization` header decides, whatever else there is; only a JWT in the URL is refused even beside one, because it has
   *   leaked already.
   * - Whatever is malformed, unknown, forged or revoked is `token-invalid`, without a word on which.
   *
   * @param context `local`: whether the request demonstrably comes from this machine and may, without credentials, do everything
   */
  authenticate(
    credentials: Credentials,
    context: { readonly local: boolean },
  ): Authentication | Promise<Authentication>;
}

const IN_URL: Authentication = { ok: false, code: 'token-in-url' };

const SCHEME = 'bearer ';

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { verifier, tickets, revocations } = options;
  const nobody: Authentication = { ok: true, principal: anonymousPrincipal(options.anonymous) };
  const owner: Authentication = { ok: true, principal: LOCAL };

  const unlessRevoked = (answer: Authentication): Authentication =>
    answer.ok && revocations.isRevoked(answer.principal) ? INVALID : answer;

  return {
    authenticate({ authorization, ticket }, context) {
      if (ticket !== undefined && looksLikeToken(ticket)) return IN_URL;
      if (authorization !== undefined) {
        const token = bearerToken(authorization);
        if (token === undefined || verifier === undefined) return INVALID;
        const answer = verifier.verify(token);
        return answer instanceof Promise ? answer.then(unlessRevoked) : unlessRevoked(answer);
      }
      if (ticket !== undefined) {
        const answer = tickets.verify(ticket);
        return answer instanceof Promise ? answer.then(unlessRevoked) : unlessRevoked(answer);
      }
      return context.local ? owner : nobody;
    },
  };
}

/** The token of `Bearer <token>` (RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1). */
function bearerToken(authorization: string): string | undefined {
  if (authorization.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return undefined;
  const token = authorization.slice(SCHEME.length).trim();
  return token === '' ? undefined : token;
}

/** Somebody without a token. @param grants what such a request may do */
export function anonymousPrincipal(grants: GrantsClaim | undefined): Principal {
  return {
    kind: 'anonymous',
    sub: undefined,
    role: ANONYMOUS_ROLE,
    grants: grants === undefined ? NO_GRANTS : compileGrants(grants),
    expires: undefined,
    issued: 0,
    ids: [],
    claims: {},
  };
}

const LOCAL: Principal = {
  kind: 'local',
  sub: undefined,
  role: DEFAULT_ROLE,
  grants: ALL_GRANTS,
  expires: undefined,
  issued: 0,
  ids: [],
  claims: {},
};
