/** An issuer of tokens for tests, with a clock that is set by hand. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { Authentication, Principal } from '../../src/auth/principal.ts';

/** 2030-01-01T00:00:00Z in ms: a moment that the real clock does not have, so that nothing works by accident. */
export const START = Date.UTC(2030, 0, 1);
export const START_SECONDS = START / 1000;

export const SECRET = 'a shared secret of more than thirty-two bytes';

export interface Clock {
  (): number;
  now: number;
}

export function manualClock(): Clock {
  const clock = Object.assign(() => clock.now, { now: START });
  return clock;
}

/** Signs with a shared secret. */
export function signHs256(claims: JWTPayload, secret: string | Uint8Array = SECRET): Promise<string> {
  const key = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret;
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(key);
}

export interface SigningKey {
  readonly alg: string;
  readonly kid: string;
  readonly jwk: JWK;
  sign(claims: JWTPayload): Promise<string>;
}

/** A key pair: `jwk` is for the JWKS host to publish. */
export async function signingKey(
  alg: 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA',
  kid: string,
): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey as CryptoKey)), kid, alg, use: 'sig' };
  return {
    alg,
    kid,
    jwk,
    sign: (claims) => new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(privateKey),
  };
}

/** A token of three given parts, with whatever signature. */
export function compact(header: unknown, payload: unknown, signature = ''): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(payload)}.${signature}`;
}

export function codeOf(answer: Authentication): string {
  return answer.ok ? 'ok' : answer.code;
}

export function principalOf(answer: Authentication): Principal {
  if (!answer.ok) throw new Error(`refused: ${answer.code}`);
  return answer.principal;
}
