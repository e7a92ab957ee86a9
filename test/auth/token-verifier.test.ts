import fc from 'fast-check';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTokenVerifier, MAX_TOKEN_LENGTH, type TokenVerifier } from '../../src/auth/token-verifier.ts';
import { MAX_CACHED_MS } from '../../src/auth/verified-cache.ts';
import { codeOf, compact, manualClock, principalOf, SECRET, START, START_SECONDS, signHs256 } from './issuer.ts';

const clock = manualClock();
let verifier: TokenVerifier;

beforeEach(() => {
  clock.now = START;
  verifier = createTokenVerifier({ secret: SECRET, clock });
});

afterEach(() => vi.restoreAllMocks());

const verify = async (token: string) => codeOf(await verifier.verify(token));

describe('a token signed with the shared secret', () => {
  it('becomes a principal', async () => {
    const token = await signHs256({
      sub: 'ada',
      role: 'editor',
      sluice: { subscribe: ['chat:*'], publish: ['chat:lobby'] },
      iat: START_SECONDS - 10,
      exp: START_SECONDS + 60,
      jti: 'token-1',
      org: 'analytical',
    });
    const principal = principalOf(await verifier.verify(token));
    expect(principal).toMatchObject({
      kind: 'token',
      sub: 'ada',
      role: 'editor',
      issued: START - 10_000,
      expires: START + 60_000,
      ids: ['token-1'],
      claims: { org: 'analytical' },
    });
    expect(principal.grants.allows('subscribe', 'chat:any')).toBe(true);
    expect(principal.grants.allows('publish', 'chat:any')).toBe(false);
    expect(principal.grants.admin).toBe(false);
  });

  it('is accepted with the secret given as bytes', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const other = createTokenVerifier({ secret: bytes, clock });
    expect(codeOf(await other.verify(await signHs256({ sub: 'ada' }, bytes)))).toBe('ok');
  });

  it('is refused when it was signed with another secret', async () => {
    expect(await verify(await signHs256({ sub: 'ada' }, 'another secret of more than thirty-two bytes'))).toBe(
      'token-invalid',
    );
  });

  it('is refused with malformed claims, though genuine', async () => {
    expect(await verify(await signHs256({ sub: 'ada', role: 'x; drop table y' }))).toBe('token-invalid');
    expect(await verify(await signHs256({ sub: 'ada', sluice: { subscribe: 'all' } }))).toBe('token-invalid');
  });
});

describe('time', () => {
  it('ends a token at its exp, exactly', async () => {
    const fresh = createTokenVerifier({ secret: SECRET, clock });
    const token = await signHs256({ exp: START_SECONDS + 60 });
    clock.now = START + 59_999;
    expect(await verify(token)).toBe('ok');
    clock.now = START + 60_000;
    expect(await verify(token)).toBe('token-expired');
    expect(codeOf(await fresh.verify(token))).toBe('token-expired');
    clock.now = START + 3_600_000;
    expect(await verify(token)).toBe('token-expired');
  });

  it('does not tell an expired forgery from any other', async () => {
    const forged = await signHs256({ exp: START_SECONDS - 60 }, 'another secret of more than thirty-two bytes');
    expect(await verify(forged)).toBe('token-invalid');
  });

  it('accepts a token without exp, unless told to require one', async () => {
    const token = await signHs256({ sub: 'ada' });
    const strict = createTokenVerifier({ secret: SECRET, clock, requireExpiry: true });
    expect(principalOf(await verifier.verify(token)).expires).toBeUndefined();
    expect(codeOf(await strict.verify(token))).toBe('token-invalid');
    expect(codeOf(await strict.verify(await signHs256({ exp: START_SECONDS + 60 })))).toBe('ok');
  });

  it('refuses a token before its nbf, but for a clock a few seconds ahead', async () => {
    const token = await signHs256({ nbf: START_SECONDS + 60 });
    expect(await verify(token)).toBe('token-invalid');
    clock.now = START + 54_000;
    expect(await verify(token)).toBe('token-invalid');
    clock.now = START + 55_000;
    expect(await verify(token)).toBe('ok');
  });

  it('refuses times that are not numbers or not times', async () => {
    for (const times of [{ exp: '2031' }, { exp: 1e300 }, { exp: -1 }, { iat: 'now' }, { iat: -1 }, { nbf: {} }]) {
      expect(await verify(await signHs256(times as never))).not.toBe('ok');
    }
  });
});

describe('audience and issuer', () => {
  const strict = createTokenVerifier({
    secret: SECRET,
    clock,
    audience: ['sluice', 'live'],
    issuer: 'https://id.example',
  });

  it.each([
    ['both right', { aud: 'live', iss: 'https://id.example' }, 'ok'],
    ['one audience of several', { aud: ['web', 'sluice'], iss: 'https://id.example' }, 'ok'],
    ['another audience', { aud: 'web', iss: 'https://id.example' }, 'token-invalid'],
    ['no audience', { iss: 'https://id.example' }, 'token-invalid'],
    ['another issuer', { aud: 'live', iss: 'https://id.example.net' }, 'token-invalid'],
    ['no issuer', { aud: 'live' }, 'token-invalid'],
  ])('%s', async (_, claims, code) => {
    expect(codeOf(await strict.verify(await signHs256(claims)))).toBe(code);
  });

  it('are not asked for when none is configured', async () => {
    expect(await verify(await signHs256({ aud: 'web', iss: 'anyone' }))).toBe('ok');
  });
});

describe('what is no token of ours', () => {
  it('refuses alg none in every spelling', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', undefined, null, ['HS256'], 0]) {
      expect(await verify(compact({ alg }, { sub: 'ada' }))).toBe('token-invalid');
      expect(await verify(compact({ alg }, { sub: 'ada' }, 'c2ln'))).toBe('token-invalid');
    }
  });

  it('refuses other algorithms, though signed with the right secret', async () => {
    for (const alg of ['HS384', 'HS512']) {
      const key = new TextEncoder().encode(SECRET.repeat(2));
      const wide = createTokenVerifier({ secret: key, clock });
      const token = await new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg }).sign(key);
      expect(codeOf(await wide.verify(token))).toBe('token-invalid');
    }
  });

  it('refuses a genuine signature over another payload, and one without its signature', async () => {
    const [header, , signature] = (await signHs256({ sub: 'ada' })).split('.');
    const payload = Buffer.from('{"sub":"eve"}').toString('base64url');
    expect(await verify(`${header}.${payload}.${signature}`)).toBe('token-invalid');
    expect(await verify(`${header}.${payload}.`)).toBe('token-invalid');
    expect(await verify(`${header}.${payload}`)).toBe('token-invalid');
  });

  it('refuses unknown critical headers and unencoded payloads', async () => {
    const key = new TextEncoder().encode(SECRET);
    const odd = new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg: 'HS256', crit: ['new'], new: 1 } as never);
    const token = await odd.sign(key, { crit: { new: true } } as never);
    expect(await verify(token)).toBe('token-invalid');
    expect(await verify(compact({ alg: 'HS256', b64: false, crit: ['b64'] }, { sub: 'ada' }, 'c2ln'))).toBe(
      'token-invalid',
    );
  });

  it('refuses a genuine token that is too long, without verifying it', async () => {
    const verifying = vi.spyOn(crypto.subtle, 'verify');
    const token = await signHs256({ sub: 'ada', padding: 'x'.repeat(MAX_TOKEN_LENGTH) });
    expect(await verify(token)).toBe('token-invalid');
    expect(verifying).not.toHaveBeenCalled();
  });

  it('refuses any text, and never throws', async () => {
    const part = fc.oneof(
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc.constantFrom('eyJhbGciOiJIUzI1NiJ9', 'eyJhbGciOiJub25lIn0', '', '====', '\0', '\u{1f600}'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
        expect(await verify(parts.join('.'))).toBe('token-invalid');
      }),
    );
  });

  it('refuses a genuine token with any one character changed', async () => {
    const token = await signHs256({ sub: 'ada', exp: START_SECONDS + 60 });
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=';
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 2), fc.constantFrom(...letters), async (index, letter) => {
        fc.pre(token[index] !== letter);
        expect(await verify(token.slice(0, index) + letter + token.slice(index + 1))).toBe('token-invalid');
      }),
    );
  });

  it('cannot be configured without a key', () => {
    expect(() => createTokenVerifier({})).toThrow(TypeError);
    expect(() => createTokenVerifier({ secret: '' })).toThrow(TypeError);
    expect(() => createTokenVerifier({ jwksUrl: 'not a url' })).toThrow(TypeError);
  });
});

describe('the second time', () => {
  it('answers at once and without cryptography', async () => {
    const token = await signHs256({ sub: 'ada', exp: START_SECONDS + 60 });
    const first = await verifier.verify(token);
    const verifying = vi.spyOn(crypto.subtle, 'verify');
    expect(verifier.verify(token)).toBe(first);
    expect(verifying).not.toHaveBeenCalled();
  });

  it('verifies once for many who come together', async () => {
    const token = await signHs256({ sub: 'crowd', exp: START_SECONDS + 60 });
    const verifying = vi.spyOn(crypto.subtle, 'verify');
    const answers = await Promise.all(Array.from({ length: 20 }, () => verifier.verify(token)));
    expect(answers.map(codeOf)).toEqual(Array(20).fill('ok'));
    expect(verifying).toHaveBeenCalledTimes(1);
  });

  it('verifies for each where requests may not wait for each other', async () => {
    const apart = createTokenVerifier({ secret: SECRET, clock, share: false });
    const token = await signHs256({ sub: 'crowd' });
    const verifying = vi.spyOn(crypto.subtle, 'verify');
    await Promise.all([apart.verify(token), apart.verify(token)]);
    expect(verifying).toHaveBeenCalledTimes(2);
  });

  it('verifies again after a while, so that a withdrawn key stops working', async () => {
    const token = await signHs256({ sub: 'ada' });
    await verifier.verify(token);
    clock.now = START + MAX_CACHED_MS;
    expect(verifier.verify(token)).toBeInstanceOf(Promise);
  });

  it('remembers no refusal', async () => {
    const token = await signHs256({ nbf: START_SECONDS + 60 });
    expect(await verify(token)).toBe('token-invalid');
    clock.now = START + 60_000;
    expect(await verify(token)).toBe('ok');
  });
});
