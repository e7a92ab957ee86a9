import { exportSPKI, importJWK, SignJWT } from 'jose';
import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { COOLDOWN_MS, MAX_AGE_MS, MAX_JWKS_BYTES } from '../../src/auth/remote-keys.ts';
import { createTokenVerifier, type TokenVerifierOptions } from '../../src/auth/token-verifier.ts';
import {
  type Clock,
  codeOf,
  manualClock,
  SECRET,
  type SigningKey,
  START_SECONDS,
  signHs256,
  signingKey,
} from './issuer.ts';

const URL = 'https://id.example/jwks.json';
const host = setupServer();
let asked = 0;
let clock: Clock;
let faults: unknown[];
let first: SigningKey;
let second: SigningKey;

beforeAll(async () => {
  host.listen({ onUnhandledFrame: 'error' });
  first = await signingKey('ES256', 'first');
  second = await signingKey('ES256', 'second');
});
afterEach(() => host.resetHandlers());
afterAll(() => host.close());

/** What the host answers from now on. */
function answer(resolve: () => Response | Promise<Response>): void {
  host.resetHandlers(
    http.get(URL, () => {
      asked += 1;
      return resolve() as HttpResponse<null>;
    }),
  );
}
const publish = (...keys: readonly { readonly jwk: object }[]) =>
  answer(() => HttpResponse.json({ keys: keys.map((key) => key.jwk) }));
const fail = () => answer(() => HttpResponse.error());

function createVerifier(options: TokenVerifierOptions = {}) {
  asked = 0;
  faults = [];
  clock = manualClock();
  const verifier = createTokenVerifier({ jwksUrl: URL, clock, onFault: (fault) => faults.push(fault), ...options });
  let serial = 0;
  return {
    verifier,
    verify: async (token: string) => codeOf(await verifier.verify(token)),
    /** Verifies a new token of this key, so that no cached answer can help. */
    use: async (key: SigningKey) => {
      serial += 1;
      return codeOf(await verifier.verify(await key.sign({ sub: 'ada', jti: `${key.kid}-${serial}` })));
    },
  };
}

describe('keys of a JWKS host', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const)('verify %s', async (alg) => {
    const { use } = createVerifier();
    const key = await signingKey(alg, alg);
    const impostor = await signingKey(alg, alg);
    publish(key, first);
    expect(await use(key)).toBe('ok');
    expect(await use(impostor)).toBe('token-invalid');
    expect(asked).toBe(1);
  });

  it('are fetched once for many tokens that come together', async () => {
    const { use } = createVerifier();
    publish(first, second);
    const codes = await Promise.all(Array.from({ length: 10 }, (_, index) => use(index % 2 === 0 ? first : second)));
    expect(codes).toEqual(Array(10).fill('ok'));
    expect(asked).toBe(1);
  });

  it('do not verify a token that was signed with the public key as a secret', async () => {
    const key = await signingKey('RS256', 'rsa');
    const publicKey = (await importJWK(key.jwk, 'RS256')) as CryptoKey;
    const pem = await exportSPKI(publicKey);
    const secrets = [pem, pem.trim(), JSON.stringify(key.jwk), key.jwk.n ?? ''];
    const onlyHost = createVerifier();
    publish(key);
    for (const secret of secrets) {
      const bytes = new TextEncoder().encode(secret);
      const forged = await new SignJWT({ sub: 'eve' }).setProtectedHeader({ alg: 'HS256', kid: 'rsa' }).sign(bytes);
      expect(await onlyHost.verify(forged)).toBe('token-invalid');
      const both = createVerifier({ secret: SECRET });
      expect(await both.verify(forged)).toBe('token-invalid');
    }
    expect(asked).toBe(0);
  });

  it('stand beside a secret, each for its own algorithms', async () => {
    const { verify, use } = createVerifier({ secret: SECRET });
    publish(first);
    expect(await verify(await signHs256({ sub: 'ada' }))).toBe('ok');
    expect(asked).toBe(0);
    expect(await use(first)).toBe('ok');
    const onlySecret = createTokenVerifier({ secret: SECRET, clock });
    expect(codeOf(await onlySecret.verify(await first.sign({ sub: 'ada' })))).toBe('token-invalid');
    const onlyHost = createVerifier();
    expect(await onlyHost.verify(await signHs256({ sub: 'ada' }))).toBe('token-invalid');
  });

  it('are not secrets, even when the host publishes one', async () => {
    const { verify } = createVerifier();
    const k = Buffer.from(SECRET).toString('base64url');
    publish({ jwk: { kty: 'oct', k, kid: 'oct', alg: 'HS256' } }, first);
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'HS256', kid: 'oct' }).sign(Buffer.from(SECRET));
    expect(await verify(token)).toBe('token-invalid');
  });
});

describe('rotation', () => {
  it('finds a key that appeared after the last fetch', async () => {
    const { use } = createVerifier();
    publish(first);
    expect(await use(first)).toBe('ok');
    publish(first, second);
    clock.now += COOLDOWN_MS;
    expect(await use(second)).toBe('ok');
    expect(asked).toBe(2);
  });

  it('drops a key that the host has withdrawn', async () => {
    const { use, verifier } = createVerifier();
    publish(first);
    const token = await first.sign({ sub: 'ada' });
    expect(codeOf(await verifier.verify(token))).toBe('ok');
    publish(second);
    clock.now += MAX_AGE_MS;
    expect(codeOf(await verifier.verify(token))).toBe('token-invalid');
    expect(await use(second)).toBe('ok');
  });

  it('does not let unknown key ids be turned against the host', async () => {
    const { use } = createVerifier();
    publish(first);
    expect(await use(first)).toBe('ok');
    for (let turn = 0; turn < 50; turn += 1) expect(await use(second)).toBe('token-invalid');
    expect(asked).toBe(1);
    clock.now += COOLDOWN_MS;
    const codes = await Promise.all(Array.from({ length: 50 }, () => use(second)));
    expect(codes).toEqual(Array(50).fill('token-invalid'));
    expect(asked).toBe(2);
  });
});

describe('an outage of the host', () => {
  it('leaves known keys working for as long as it lasts, and calls unknown ones unavailable', async () => {
    const { use } = createVerifier();
    publish(first);
    expect(await use(first)).toBe('ok');
    fail();
    for (let hour = 0; hour < 24; hour += 1) {
      clock.now += 3_600_000;
      expect(await use(first)).toBe('ok');
      expect(await use(second)).toBe('unavailable');
    }
    expect(faults.length).toBe(24);
    publish(first, second);
    clock.now += COOLDOWN_MS;
    expect(await use(second)).toBe('ok');
  });

  it('is unavailable, not a bad token, when no key was ever fetched, and asks sparingly', async () => {
    const { use } = createVerifier();
    fail();
    for (let turn = 0; turn < 20; turn += 1) expect(await use(first)).toBe('unavailable');
    expect(asked).toBe(1);
    publish(first);
    expect(await use(first)).toBe('unavailable');
    clock.now += COOLDOWN_MS;
    expect(await use(first)).toBe('ok');
  });

  it('still knows nonsense from a token', async () => {
    const { verify } = createVerifier();
    fail();
    expect(await verify('nonsense')).toBe('token-invalid');
    expect(asked).toBe(0);
  });

  it.each<[string, () => Response]>([
    ['an error status', () => new HttpResponse('down', { status: 503 })],
    ['a redirect', () => new HttpResponse(null, { status: 302, headers: { location: 'https://elsewhere.example/' } })],
    ['a page', () => HttpResponse.html('<h1>Welcome</h1>')],
    ['other JSON', () => HttpResponse.json({ keys: 'none' })],
    ['null', () => HttpResponse.json(null)],
    ['nothing', () => new HttpResponse(null, { status: 200 })],
    ['half a set', () => HttpResponse.text('{"keys":[{"kty":"EC"')],
    ['more than it may hold', () => HttpResponse.json({ keys: [], padding: 'x'.repeat(MAX_JWKS_BYTES) })],
  ])('is what %s counts as', async (_, resolve) => {
    const { use } = createVerifier();
    publish(first);
    expect(await use(first)).toBe('ok');
    answer(resolve);
    clock.now += MAX_AGE_MS;
    expect(await use(first)).toBe('ok');
    expect(await use(second)).toBe('unavailable');
    expect(asked).toBe(2);
    expect(faults.length).toBe(1);
  });

  it('is what a slow host counts as, and only one request waits for it', async () => {
    const { use } = createVerifier({ jwksTimeoutMs: 2000 });
    publish(first);
    expect(await use(first)).toBe('ok');
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer(async () => {
      await held;
      return HttpResponse.json({ keys: [] });
    });
    clock.now += MAX_AGE_MS;
    let waited = false;
    const waiting = use(first).then((code) => {
      waited = true;
      return code;
    });
    await expect.poll(() => asked).toBe(2);
    expect(await use(first)).toBe('ok');
    expect(waited).toBe(false);
    expect(await use(second)).toBe('unavailable');
    expect(await waiting).toBe('ok');
    release();
  });

  it('does not make others wait where requests may not wait for each other', async () => {
    const { use } = createVerifier({ share: false });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer(async () => {
      await held;
      return HttpResponse.json({ keys: [first.jwk] });
    });
    const waiting = use(first);
    await expect.poll(() => asked).toBe(1);
    expect(await use(first)).toBe('unavailable');
    release();
    expect(await waiting).toBe('ok');
    expect(await use(first)).toBe('ok');
    expect(asked).toBe(1);
  });
});

describe('a key that cannot be used', () => {
  it('makes its tokens unavailable, tells the operator, and leaves the others working', async () => {
    const { use } = createVerifier();
    publish(first, { jwk: { ...second.jwk, x: 'AAAA' } });
    expect(await use(second)).toBe('unavailable');
    expect(await use(first)).toBe('ok');
    expect(faults.length).toBe(1);
  });

  it('is one of several that fit a token without a key id', async () => {
    const { verify } = createVerifier();
    publish(first, second);
    const { privateKey } = await crypto.subtle
      .generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
      .then((pair) => pair as CryptoKeyPair);
    const token = await new SignJWT({ exp: START_SECONDS + 60 }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    expect(await verify(token)).toBe('token-invalid');
  });
});
