/** Who asks in these tests; in a form that can be sent to another process, too. */
import type { Principal } from '../../../src/auth/principal.ts';
import { compileGrants, type Grants, type GrantsClaim } from '../../../src/protocol/grants.ts';

/** What was granted, by what it was compiled to. */
const claims = new WeakMap<Grants, GrantsClaim>();

export function granted(claim: GrantsClaim): Grants {
  const grants = compileGrants(claim);
  claims.set(grants, claim);
  return grants;
}

const ALL = granted({ subscribe: ['**'], publish: ['**'] });
const NONE = granted({});

/** Somebody with a token; what they are granted is for the test to say. */
export function caller(sub: string, grants: { subscribe?: string[]; publish?: string[] } = {}): Partial<Principal> {
  return { kind: 'token', sub, role: 'authenticated', grants: granted(grants), claims: { sub } };
}

/** `root`, to whom everything is granted, but for what is given. */
export function principalOf(given: Partial<Principal>): Principal {
  return {
    kind: 'token',
    sub: 'root',
    role: 'authenticated',
    grants: ALL,
    expires: undefined,
    issued: 0,
    ids: [],
    claims: { sub: 'root' },
    ...given,
  };
}

export const NOBODY = principalOf({ kind: 'anonymous', sub: undefined, role: 'anon', grants: NONE, claims: {} });

/** In ASCII, for a header. */
export function encodePrincipal({ grants, ...principal }: Principal): string {
  return encodeURIComponent(JSON.stringify({ ...principal, grants: claims.get(grants) }));
}

export function decodePrincipal(text: string): Principal {
  const { grants, ...principal } = JSON.parse(decodeURIComponent(text));
  return { ...principal, grants: granted(grants) };
}
