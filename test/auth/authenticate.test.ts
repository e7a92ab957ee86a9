import { beforeEach, describe, expect, it } from 'vitest';
import { type Authenticator, type AuthenticatorOptions, createAuthenticator } from '../../src/auth/authenticate.ts';
import type { Authentication, Principal } from '../../src/auth/principal.ts';
import { createRevocations, type Revocations } from '../../src/auth/revocations.ts';
import { createTickets, type Tickets } from '../../src/auth/tickets.ts';
import { createTokenVerifier, type TokenVerifier } from '../../src/auth/token-verifier.ts';
import { codeOf, manualClock, principalOf, SECRET, START, START_SECONDS, signHs256 } from './issuer.ts';

const REMOTE = { local: false };
const HERE = { local: true };
const clock = manualClock();
let verifier: TokenVerifier;
let tickets: Tickets;
let revocations: Revocations;
let authenticator: Authenticator;

const create = (options: Partial<AuthenticatorOptions> = {}) =>
  createAuthenticator({ verifier, tickets, revocations, ...options });

beforeEach(() => {
  clock.now = START;
  verifier = createTokenVerifier({ secret: SECRET, clock });
  tickets = createTickets({ key: new Uint8Array(32), clock });
  const nothing = { revocations: [], position: 0, more: false };
  revocations = createRevocations({
    store: { add: async () => {}, since: async () => nothing },
    clock,
    onRevoked: () => {},
  });
  authenticator = create();
});

const claims = {
  sub: 'ada',
  jti: 'token-1',
  iat: START_SECONDS,
  exp: START_SECONDS + 60,
  sluice: { subscribe: ['a', 'b'] },
};

async function bearer(): Promise<string> {
  return `Bearer ${await signHs256(claims)}`;
}

async function ticketFor(principal: Principal, topics = ['a']): Promise<string> {
  const issued = await tickets.issue(principal, topics, 60);
  if (!issued.ok) throw new Error(issued.code);
  return issued.ticket;
}

/** The answer, which must have come at once. */
function atOnce(answer: Authentication | Promise<Authentication>): Authentication {
  if (answer instanceof Promise) throw new Error('answered with a promise');
  return answer;
}

describe('a request without credentials', () => {
  it('is anonymous and may do nothing', () => {
    const principal = principalOf(atOnce(authenticator.authenticate({}, REMOTE)));
    expect(principal).toMatchObject({ kind: 'anonymous', sub: undefined, role: 'anon', expires: undefined, ids: [] });
    expect(principal.grants.allows('subscribe', 'a')).toBe(false);
  });

  it('may do what anonymous requests were given', () => {
    const open = create({ anonymous: { subscribe: ['public:*'] } });
    const { grants } = principalOf(atOnce(open.authenticate({}, REMOTE)));
    expect(grants.allows('subscribe', 'public:news')).toBe(true);
    expect(grants.allows('publish', 'public:news')).toBe(false);
    expect(grants.admin).toBe(false);
  });

  it('may do everything when it demonstrably comes from this machine, and only then', () => {
    const owner = principalOf(atOnce(authenticator.authenticate({}, HERE)));
    expect(owner.kind).toBe('local');
    expect(owner.grants.admin).toBe(true);
    expect(principalOf(atOnce(authenticator.authenticate({}, REMOTE))).kind).toBe('anonymous');
  });
});

describe('a bearer token', () => {
  it('says who it is, at once the second time', async () => {
    const authorization = await bearer();
    const first = await authenticator.authenticate({ authorization }, REMOTE);
    expect(principalOf(first)).toMatchObject({ kind: 'token', sub: 'ada' });
    expect(atOnce(authenticator.authenticate({ authorization }, REMOTE))).toBe(first);
  });

  it('may write its scheme in any case', async () => {
    const token = (await bearer()).slice('Bearer '.length);
    for (const authorization of [`bearer ${token}`, `BEARER  ${token}`, `Bearer ${token} `]) {
      expect(codeOf(await authenticator.authenticate({ authorization }, REMOTE))).toBe('ok');
    }
  });

  it.each(['', 'Bearer', 'Bearer ', 'Bearer nonsense', 'Basic YWRhOnB3', 'Bearer a b', 'Token abc', '\0'])(
    'is refused when the header is %j, even in development',
    async (authorization) => {
      expect(codeOf(await authenticator.authenticate({ authorization }, HERE))).toBe('token-invalid');
    },
  );

  it('without its scheme is refused', async () => {
    const authorization = (await bearer()).slice('Bearer '.length);
    expect(codeOf(await authenticator.authenticate({ authorization }, REMOTE))).toBe('token-invalid');
  });

  it('is refused where none can be verified', async () => {
    const mute = create({ verifier: undefined });
    expect(codeOf(await mute.authenticate({ authorization: await bearer() }, REMOTE))).toBe('token-invalid');
  });

  it('cannot be a ticket', async () => {
    const principal = principalOf(await authenticator.authenticate({ authorization: await bearer() }, REMOTE));
    const authorization = `Bearer ${await ticketFor(principal)}`;
    expect(codeOf(await authenticator.authenticate({ authorization }, REMOTE))).toBe('token-invalid');
  });

  it('passes on that it expired, or that its keys are away', async () => {
    const authorization = await bearer();
    const away = create({ verifier: { verify: () => ({ ok: false, code: 'unavailable' }) } });
    expect(codeOf(await away.authenticate({ authorization }, REMOTE))).toBe('unavailable');
    clock.now = START + 60_000;
    expect(codeOf(await authenticator.authenticate({ authorization }, REMOTE))).toBe('token-expired');
  });
});

describe('a ticket', () => {
  it('says who it is for, at once the second time', async () => {
    const ticket = await ticketFor(principalOf(await verifier.verify(await signHs256(claims))));
    const first = await authenticator.authenticate({ ticket }, REMOTE);
    expect(principalOf(first)).toMatchObject({ kind: 'ticket', sub: 'ada' });
    expect(atOnce(authenticator.authenticate({ ticket }, REMOTE))).toBe(first);
  });

  it('gives way to a token', async () => {
    const ticket = await ticketFor(principalOf(await verifier.verify(await signHs256(claims))));
    const answer = await authenticator.authenticate({ authorization: await bearer(), ticket }, REMOTE);
    expect(principalOf(answer).kind).toBe('token');
    const refused = await authenticator.authenticate({ authorization: 'Bearer nonsense', ticket }, REMOTE);
    expect(codeOf(refused)).toBe('token-invalid');
  });

  it('cannot be a token, good or bad, with or without a header', async () => {
    const authorization = await bearer();
    for (const ticket of [authorization.slice('Bearer '.length), 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.']) {
      expect(codeOf(await authenticator.authenticate({ ticket }, REMOTE))).toBe('token-in-url');
      expect(codeOf(await authenticator.authenticate({ authorization, ticket }, REMOTE))).toBe('token-in-url');
    }
  });

  it('is refused when it is nonsense, even in development', async () => {
    for (const ticket of ['', 'nonsense', 'slt1_AAAA']) {
      expect(codeOf(await authenticator.authenticate({ ticket }, HERE))).toBe('token-invalid');
    }
  });
});

describe('revocation', () => {
  it('refuses a token at once, though it was verified before', async () => {
    const authorization = await bearer();
    expect(codeOf(await authenticator.authenticate({ authorization }, REMOTE))).toBe('ok');
    await revocations.revoke({ kind: 'jti', value: 'token-1' });
    expect(codeOf(atOnce(authenticator.authenticate({ authorization }, REMOTE)))).toBe('token-invalid');
  });

  it('refuses the tickets of a revoked token, of a revoked subject, and a revoked ticket', async () => {
    const revoke = [
      { kind: 'jti', value: 'token-1' },
      { kind: 'sub', value: 'ada' },
    ] as const;
    const principal = principalOf(await verifier.verify(await signHs256(claims)));
    for (const revocation of revoke) {
      const fresh = createRevocations({
        store: { add: async () => {}, since: async () => ({ revocations: [], position: 0, more: false }) },
        clock,
        onRevoked: () => {},
      });
      const node = create({ revocations: fresh });
      const ticket = await ticketFor(principal);
      expect(codeOf(await node.authenticate({ ticket }, REMOTE))).toBe('ok');
      await fresh.revoke(revocation);
      expect(codeOf(await node.authenticate({ ticket }, REMOTE))).toBe('token-invalid');
    }
    const issued = await tickets.issue(principal, ['a'], 60);
    if (!issued.ok) throw new Error(issued.code);
    await revocations.revoke({ kind: 'jti', value: issued.id });
    expect(codeOf(await authenticator.authenticate({ ticket: issued.ticket }, REMOTE))).toBe('token-invalid');
    expect(codeOf(await authenticator.authenticate({ authorization: await bearer() }, REMOTE))).toBe('ok');
  });
});
