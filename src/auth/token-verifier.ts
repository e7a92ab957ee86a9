/** Verifying bearer tokens: compact JWTs (RFC 7519), signed with a shared secret or with a key of a JWKS host. */
import { errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';
import { readClaims } from './claims.ts';
import type { Authentication } from './principal.ts';
import { EXPIRED, INVALID } from './refusals.ts';
import { createRemoteKeys, KeysUnavailable } from './remote-keys.ts';
import { VerifiedCache } from './verified-cache.ts';

/** The longest token looked at, in characters. Longer ones are refused before any work is done on them. */
export const MAX_TOKEN_LENGTH = 8192;

/** How far the issuer's clock may run ahead of ours, in seconds. It excuses `nbf` only: `exp` is exact, as it is mid-stream. */
export const CLOCK_TOLERANCE_SECONDS = 5;

/** How long the JWKS host may take, in ms, unless told otherwise. */
const JWKS_TIMEOUT_MS = 5000;

const SECRET_ALGORITHMS = ['HS256'];
const PUBLIC_KEY_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];

export interface TokenVerifierOptions {
  /** The secret of HS256 tokens; a string stands for its UTF-8 bytes. */
  readonly secret?: string | Uint8Array | undefined;
  /** Where the public keys of RS256, PS256, ES256, ES384 and EdDSA tokens are. */
  readonly jwksUrl?: string | undefined;
  /** When given, a token's `aud` must name one of these. */
  readonly audience?: string | readonly string[] | undefined;
  /** When given, a token's `iss` must be this. */
  readonly issuer?: string | undefined;
  /** Refuse tokens without `exp`. Default: they are accepted and never end by themselves, though they can be revoked. */
  readonly requireExpiry?: boolean | undefined;
  /** How long the JWKS host may take, in ms. Default 5,000. */
  readonly jwksTimeoutMs?: number | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** ms since 1970 */
  readonly clock?: (() => number) | undefined;
  /** Told when keys cannot be fetched or used. Such faults are never the caller's, and never reach them. */
  readonly onFault?: ((fault: unknown) => void) | undefined;
  /**
   * Whether requests may wait for work that another began. Default true; false where one request may not await the I/O of
   * another (Workers).
   */
  readonly share?: boolean | undefined;
}

export interface TokenVerifier {
  /**
   * Verifies one token: at once when it was verified lately, else after the cryptography.
   *
   * @returns the principal; `token-expired` for a genuine token that has ended; `unavailable` when the keys that it needs cannot be
   *   fetched; `token-invalid` for everything else
   */
  verify(token: string): Authentication | Promise<Authentication>;
}

const UNAVAILABLE: Authentication = { ok: false, code: 'unavailable' };

/**
 * With both a secret and a JWKS URL, each family of algorithms goes to its own key only; what the token's `alg` may be is
 * settled by what is configured, never by the token (RFC 8725 section 3.1).
 *
 * @throws TypeError when neither a secret nor a JWKS URL is given, or one of them cannot be used
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const clock = options.clock ?? Date.now;
  const onFault = options.onFault ?? (() => {});
  const share = options.share ?? true;
  const findKey = createKeyFinder(options, clock, onFault, share);
  const checks: JWTVerifyOptions = {
    algorithms: [
      ...(options.secret === undefined ? [] : SECRET_ALGORITHMS),
      ...(options.jwksUrl === undefined ? [] : PUBLIC_KEY_ALGORITHMS),
    ],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...(options.audience !== undefined && { audience: [options.audience].flat() }),
    ...(options.issuer !== undefined && { issuer: options.issuer }),
    ...(options.requireExpiry === true && { requiredClaims: ['exp'] }),
  };
  const verified = new VerifiedCache();
  /** Verifications under way, by token: at most one for each request that waits. */
  const pending = new Map<string, Promise<Authentication>>();

  async function check(token: string): Promise<Authentication> {
    try {
      const { payload } = await jwtVerify(token, findKey, { ...checks, currentDate: new Date(clock()) });
      const principal = readClaims(payload);
      if (principal === undefined) return INVALID;
      const now = clock();
      if (principal.expires !== undefined && principal.expires <= now) return EXPIRED;
      return verified.add(token, principal, now);
    } catch (error) {
      if (error instanceof errors.JWTExpired) return EXPIRED;
      if (error instanceof KeysUnavailable) return UNAVAILABLE;
      if (error instanceof errors.JOSEError) return INVALID;
      // jose throws others only for a key that it will not use, such as RSA below 2,048 bits: not the caller's fault, and nobody
      // can tell whether the token is good.
      onFault(error);
      return UNAVAILABLE;
    }
  }

  return {
    verify(token) {
      const known = verified.get(token, clock());
      if (known !== undefined) return known;
      if (token.length > MAX_TOKEN_LENGTH) return INVALID;
      if (!share) return check(token);
      const underWay = pending.get(token);
      if (underWay !== undefined) return underWay;
      const checking = check(token).finally(() => pending.delete(token));
      pending.set(token, checking);
      return checking;
    },
  };
}

/** jose asks for the key only after `alg` has been found among those allowed. */
function createKeyFinder(
  options: TokenVerifierOptions,
  clock: () => number,
  onFault: (fault: unknown) => void,
  share: boolean,
): JWTVerifyGetKey<CryptoKey> {
  const { secret, jwksUrl } = options;
  const findSecret = secret === undefined ? undefined : createSecretKey(secret);
  const findPublic =
    jwksUrl === undefined
      ? undefined
      : createRemoteKeys({
          url: jwksUrl,
          // Looked up at each call: the global may be replaced after this verifier was made.
          fetch: options.fetch ?? ((input, init) => fetch(input, init)),
          timeoutMs: options.jwksTimeoutMs ?? JWKS_TIMEOUT_MS,
          clock,
          onFault,
          share,
        });
  if (findSecret === undefined && findPublic === undefined) {
    throw new TypeError('a token verifier needs a secret or a JWKS URL');
  }
  return async (header, token) => {
    const find = SECRET_ALGORITHMS.includes(header.alg) ? findSecret : findPublic;
    if (find === undefined) throw new errors.JOSEAlgNotAllowed('the algorithm is not configured');
    return find(header, token);
  };
}

/** Imports the secret at first use. The key is kept, not its promise, so that no request waits for another's. */
function createSecretKey(secret: string | Uint8Array): JWTVerifyGetKey<CryptoKey> {
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : new Uint8Array(secret);
  if (bytes.byteLength === 0) throw new TypeError('the secret is empty');
  let key: CryptoKey | undefined;
  return async () => {
    key ??= await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
    return key;
  };
}
