/**
 * Who sees which rows of a collection. There is no default: a collection that says nothing is refused when it is defined.
 *
 * - {@link rls}: Postgres decides by its own row-level security, for reads, writes and streams.
 * - {@link scope}: a function decides from the claims and the row, without a query.
 * - {@link everyRow}: whoever may subscribe to the topic of the collection's name sees everything.
 */
import type { PgTable } from 'drizzle-orm/pg-core';
import { canonicalJson } from './canonical-json.ts';

/** What is known of whoever asks. */
export interface Caller {
  /** The database role for row-level security. */
  readonly role: string;
  readonly sub: string | undefined;
  /** The verified claims. */
  readonly claims: Claims;
}

export type Claims = Readonly<Record<string, unknown>>;

/** Another table whose changes can change what a caller sees, such as a table of memberships. */
export interface Dependency {
  readonly table: PgTable;
}

export interface RlsOptions {
  /**
   * The claims that the policies read, besides the role. Callers who agree in these share one view, and the policies are
   * shown no others. Default: all claims but those that differ from token to token (`exp`, `iat`, `nbf`, `jti`) and the grants
   * (`sluice`), of which a ticket has others.
   */
  readonly claims?: readonly string[];
  readonly dependsOn?: readonly Dependency[];
}

export interface RlsVisibility {
  readonly kind: 'rls';
  /** `undefined`: all claims count. */
  readonly claims: readonly string[] | undefined;
  readonly dependsOn: readonly Dependency[];
}

export interface ScopeVisibility<Row = never> {
  readonly kind: 'scope';
  readonly sees: (claims: Claims, row: Row) => boolean;
}

export interface EveryRowVisibility {
  readonly kind: 'everyRow';
}

/** One of the three. `Row` is the record in wire form, as a function of {@link scope} gets it. */
export type Visibility<Row = never> = RlsVisibility | ScopeVisibility<Row> | EveryRowVisibility;

/**
 * Postgres's own policies decide. Queries run as the caller's role (`SET LOCAL ROLE`), with the claims as the setting
 * `request.jwt.claims`, as for PostgREST and Supabase.
 *
 * @example rls({ claims: ['sub'], dependsOn: [{ table: memberships }] })
 */
export function rls(options: RlsOptions = {}): RlsVisibility {
  return { kind: 'rls', claims: options.claims && [...options.claims], dependsOn: [...(options.dependsOn ?? [])] };
}

/**
 * A function decides from the verified claims (without those named at {@link RlsOptions}) and the row in wire form: `true` lets it be seen. It must depend on nothing else,
 * since its answer is used again for callers with the same claims. Anything but `true` (a promise too) hides the row, and
 * one that throws is a fault, which the log tells and which hides the row.
 *
 * The fields of `row` are `unknown` until its type is said, as below; the table's would be known only if it came first.
 *
 * @example scope((claims, row: RecordOf<typeof ordersTable>) => row.customerId === claims['sub'])
 */
export function scope<Row = Readonly<Record<string, unknown>>>(
  sees: (claims: Claims, row: Row) => boolean,
): ScopeVisibility<Row> {
  return { kind: 'scope', sees: (claims, row) => sees(claims, row) === true };
}

/** Every row is visible to whoever holds the grant for the topic of the collection's name. */
export function everyRow(): EveryRowVisibility {
  return { kind: 'everyRow' };
}

/** Claims that differ between credentials of one caller: they say nothing of which rows may be seen. */
const OF_THE_CREDENTIAL: ReadonlySet<string> = new Set(['exp', 'iat', 'nbf', 'jti', 'sluice']);

/** The claims that a caller has under every credential. */
export function lastingClaims(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !OF_THE_CREDENTIAL.has(name)));
}

/**
 * The claims that may decide what a caller sees. A view that callers share must be read with these and no others: what one of
 * them alone carries could otherwise show its rows to all.
 *
 * @returns the claims that count, with `sub` and `role` as the caller has them
 */
export function claimsThatCount(visibility: Visibility, { role, sub, claims }: Caller): Claims {
  const whole: Claims = { ...claims, ...(sub !== undefined && { sub }) };
  const listed = visibility.kind === 'rls' ? visibility.claims : undefined;
  const counted =
    listed === undefined
      ? lastingClaims(whole)
      : Object.fromEntries(Object.entries(whole).filter(([name]) => listed.includes(name)));
  return { ...counted, role };
}

/** A text that is equal for callers who see the same rows: they can share a view. */
export function fingerprint(visibility: Visibility, caller: Caller): string {
  if (visibility.kind === 'everyRow') return '*';
  return canonicalJson(claimsThatCount(visibility, caller));
}
