/** What every write has: its rate, and its idempotency key (protocol section 3). */
import type { Principal } from '../auth/principal.ts';
import { idempotencyKeySchema } from '../protocol/schemas.ts';
import { canonicalJson } from '../records/canonical-json.ts';
import { lastingClaims } from '../records/visibility.ts';
import type { WriteVerdict } from './caller-limiter.ts';
import { ProblemError } from './problem-error.ts';
import type { RequestContext } from './services.ts';

/** @throws ProblemError `rate-limited` */
export async function requireRate(answer: WriteVerdict | Promise<WriteVerdict>): Promise<void> {
  const verdict = answer instanceof Promise ? await answer : answer;
  if (verdict.ok) return;
  const seconds = Math.ceil(verdict.retryAfterMs / 1000);
  throw new ProblemError('rate-limited', {
    headers: { 'Retry-After': String(seconds), RateLimit: `"writes";r=0;t=${seconds}` },
  });
}

/** The `Idempotency-Key` header. @throws ProblemError `invalid` */
export function idempotencyKey(c: RequestContext): string | undefined {
  const header = c.req.header('Idempotency-Key');
  if (header === undefined) return undefined;
  const key = idempotencyKeySchema.safeParse(header);
  if (key.success) return key.data;
  throw new ProblemError('invalid', {
    errors: [{ path: 'Idempotency-Key', message: '1 to 200 printable ASCII characters' }],
  });
}

/**
 * Whose key it is. A `sub` is quoted, so that no name can look like another kind of caller. Of a token without one, all its claims
 * say who it is.
 */
export async function keyOwner({ sub, kind, claims }: Principal): Promise<string> {
  if (sub !== undefined) return `sub:${JSON.stringify(sub)}`;
  return kind === 'token' ? `token:${await digestOf([canonicalJson(lastingClaims(claims))], NOTHING)}` : kind;
}

const NOTHING = new Uint8Array();

/** What must be equal for a repeated write to be the same: what says where it goes, a line each, and every byte of it. */
export async function digestOf(head: readonly string[], bytes: Uint8Array): Promise<string> {
  const lines = new TextEncoder().encode(`${head.join('\n')}\n`);
  const all = new Uint8Array(lines.byteLength + bytes.byteLength);
  all.set(lines);
  all.set(bytes, lines.byteLength);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return btoa(String.fromCharCode(...hash));
}
