/** Who is asking, and what they may do. */
import type { Grants } from '../protocol/grants.ts';

export interface Principal {
  /** How they showed who they are. `local` is a request from this machine in development. */
  readonly kind: 'token' | 'ticket' | 'anonymous' | 'local';
  readonly sub: string | undefined;
  /** The database role for row-level security. */
  readonly role: string;
  readonly grants: Grants;
  /** When the credential ends, ms since 1970; `undefined` if it does not. */
  readonly expires: number | undefined;
  /** When it was issued, ms since 1970; 0 when it does not say. */
  readonly issued: number;
  /** The ids by which it can be revoked: the token's `jti`, and for a ticket also its own. */
  readonly ids: readonly string[];
  /** The verified claims, for row-level security and for policies. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Code of the embedding application that adds to grants or overrides them; `undefined` leaves the matter to the grants. */
export type Policy = (
  principal: Principal,
  action: 'subscribe' | 'publish' | 'presence',
  topic: string,
) => boolean | undefined;

/** What a request carries. */
export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization?: string | undefined;
  /** The `ticket` query parameter. */
  readonly ticket?: string | undefined;
}

export type Authentication =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly code: 'token-invalid' | 'token-expired' | 'token-in-url' | 'unavailable' };
