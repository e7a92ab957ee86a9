/** From a token's verified claims to a principal (RFC 7519 section 4; protocol section 4). */
import { z } from 'zod';
import { compileGrants, grantsSchema, NO_GRANTS } from '../protocol/grants.ts';
import type { Principal } from './principal.ts';

/** The role of a token that names none. */
export const DEFAULT_ROLE = 'authenticated';

/** The role of a request without a token. */
export const ANONYMOUS_ROLE = 'anon';

/** The longest `sub` and `jti`, in characters: as long as a revocation can name, so that every token can be revoked. */
const MAX_ID = 512;

/** A NumericDate in seconds, up to the last moment that a `Date` can hold. */
const seconds = z.number().min(0).max(8.64e12);

/** What can stand in a log line and in a database parameter: no control character (NUL among them), no lone surrogate. */
const id = z
  .string()
  .min(1)
  .max(MAX_ID)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u);

/** An unquoted identifier of PostgreSQL, which keeps at most 63 bytes of one. `none` is no role: to take it on is to give up the last. */
export const roleSchema = z.string().regex(/^(?!none$)[A-Za-z_][A-Za-z0-9_$]{0,62}$/i);

/** The claims that Sluice reads. Others may stand beside them and are kept for policies and row-level security. */
export const claimsSchema = z.looseObject({
  sub: id.optional(),
  role: roleSchema.optional(),
  sluice: grantsSchema.optional(),
  exp: seconds.optional(),
  iat: seconds.optional(),
  jti: id.optional(),
});

/**
 * Reads the claims of a token whose signature, audience, issuer and times have been checked.
 *
 * @param payload the token's payload, parsed
 * @returns the principal, or `undefined` when a claim has a wrong type, an illegal role or an illegal pattern
 */
export function readClaims(payload: Readonly<Record<string, unknown>>): Principal | undefined {
  const read = claimsSchema.safeParse(payload);
  if (!read.success) return undefined;
  const { sub, role, sluice, exp, iat, jti } = read.data;
  return {
    kind: 'token',
    sub,
    role: role ?? DEFAULT_ROLE,
    grants: sluice === undefined ? NO_GRANTS : compileGrants(sluice),
    expires: exp === undefined ? undefined : exp * 1000,
    issued: iat === undefined ? 0 : iat * 1000,
    ids: jti === undefined ? [] : [jti],
    claims: payload,
  };
}
