import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readClaims } from '../../src/auth/claims.ts';
import type { Principal } from '../../src/auth/principal.ts';
import { createTickets, looksLikeToken, MAX_TICKET_LENGTH, type Tickets } from '../../src/auth/tickets.ts';
import { codeOf, manualClock, principalOf, START, START_SECONDS, signHs256 } from './issuer.ts';

const KEY = new Uint8Array(32).map((_, index) => index * 7);
const clock = manualClock();
let tickets: Tickets;

beforeEach(() => {
  clock.now = START;
  tickets = createTickets({ key: KEY, clock });
});
afterEach(() => vi.restoreAllMocks());

const ada = readClaims({
  sub: 'ada',
  role: 'editor',
  iat: START_SECONDS - 10,
  exp: START_SECONDS + 600,
  jti: 'token-1',
  org: 'analytical',
  sluice: { subscribe: ['**'], publish: ['**'], presence: ['**'], admin: true },
}) as Principal;

async function issue(topics: readonly string[] = ['chat:lobby'], ttl = 60, principal = ada) {
  const issued = await tickets.issue(principal, topics, ttl);
  if (!issued.ok) throw new Error(`not issued: ${issued.code}`);
  return issued;
}
const verify = async (ticket: string) => codeOf(await tickets.verify(ticket));

describe('a ticket', () => {
  it('names who it was made for', async () => {
    const { ticket, id, expires } = await issue();
    expect(principalOf(await tickets.verify(ticket))).toMatchObject({
      kind: 'ticket',
      sub: 'ada',
      role: 'editor',
      issued: START - 10_000,
      expires,
      ids: [id, 'token-1'],
      claims: { sub: 'ada', role: 'editor', jti: 'token-1', org: 'analytical', sluice: { subscribe: ['chat:lobby'] } },
    });
    expect(expires).toBe(START + 60_000);
  });

  it('allows reading its topics and nothing else', async () => {
    const { ticket, topics } = await issue(['chat:lobby', 'https://example.com/books/1', 'chat:lobby']);
    expect(topics).toEqual(['chat:lobby', 'https://example.com/books/1']);
    const { grants } = principalOf(await tickets.verify(ticket));
    for (const topic of topics) {
      expect(grants.allows('subscribe', topic)).toBe(true);
      expect(grants.allows('publish', topic)).toBe(false);
      expect(grants.allows('presence', topic)).toBe(false);
    }
    expect(grants.allows('subscribe', 'chat:other')).toBe(false);
    expect(grants.allows('subscribe', 'chat:lobby:x')).toBe(false);
    expect(grants.admin).toBe(false);
  });

  it('shows who is at its topics when it was made for that, and at no others', async () => {
    const issued = await tickets.issue(ada, ['chat:lobby'], 60, true);
    if (!issued.ok) throw new Error(issued.code);
    const { grants, claims } = principalOf(await tickets.verify(issued.ticket));
    expect(grants.allows('subscribe', 'chat:lobby')).toBe(true);
    expect(grants.allows('presence', 'chat:lobby')).toBe(true);
    expect(grants.allows('presence', 'chat:other')).toBe(false);
    expect(grants.allows('publish', 'chat:lobby')).toBe(false);
    expect(claims['sluice']).toEqual({ subscribe: ['chat:lobby'], presence: ['chat:lobby'] });
  });

  it('ends in time, exactly', async () => {
    const { ticket } = await issue(['a'], 60);
    const other = createTickets({ key: KEY, clock });
    clock.now = START + 59_999;
    expect(await verify(ticket)).toBe('ok');
    clock.now = START + 60_000;
    expect(await verify(ticket)).toBe('token-expired');
    expect(codeOf(await other.verify(ticket))).toBe('token-expired');
  });

  it('ends no later than the token that made it', async () => {
    const { ticket, expires } = await issue(['a'], 86_400);
    expect(expires).toBe(START + 600_000);
    clock.now = START + 600_000;
    expect(await verify(ticket)).toBe('token-expired');
  });

  it('is not made from a token that has ended, nor from a ticket', async () => {
    const { ticket } = await issue();
    const fromTicket = await tickets.issue(principalOf(await tickets.verify(ticket)), ['chat:lobby'], 60);
    expect(fromTicket).toEqual({ ok: false, code: 'forbidden' });
    clock.now = START + 600_000;
    expect(await tickets.issue(ada, ['a'], 60)).toEqual({ ok: false, code: 'token-expired' });
  });

  it('serves those without a token as well', async () => {
    const anonymous: Principal = { ...ada, kind: 'anonymous', sub: undefined, role: 'anon', ids: [], claims: {} };
    const { ticket, id } = await issue(['a'], 60, anonymous);
    expect(principalOf(await tickets.verify(ticket))).toMatchObject({ sub: undefined, role: 'anon', ids: [id] });
  });

  it('is read by every node with the key, and by no other', async () => {
    const { ticket } = await issue();
    expect(codeOf(await createTickets({ key: KEY, clock }).verify(ticket))).toBe('ok');
    const stranger = createTickets({ key: new Uint8Array(32), clock });
    expect(codeOf(await stranger.verify(ticket))).toBe('token-invalid');
    expect(() => createTickets({ key: new Uint8Array(31), clock })).toThrow(TypeError);
  });

  it('is not interchangeable with another use of its key', async () => {
    const { ticket } = await issue();
    const bytes = Buffer.from(ticket.slice('slt1_'.length), 'base64url');
    const json = bytes.subarray(32);
    const key = await crypto.subtle.importKey('raw', KEY, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const bare = Buffer.from(await crypto.subtle.sign('HMAC', key, json));
    expect(await verify(`slt1_${Buffer.concat([bare, json]).toString('base64url')}`)).toBe('token-invalid');
  });

  it('has an id of its own each time', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, async () => (await issue()).id));
    expect(new Set(ids).size).toBe(20);
  });

  it('is verified without cryptography the second time', async () => {
    const { ticket } = await issue();
    const first = await tickets.verify(ticket);
    const verifying = vi.spyOn(crypto.subtle, 'verify');
    expect(tickets.verify(ticket)).toBe(first);
    expect(verifying).not.toHaveBeenCalled();
  });
});

describe('the size of a ticket', () => {
  it('is bounded, and nothing is left out to fit', async () => {
    const result = await tickets.issue({ ...ada, claims: { ...ada.claims, note: 'x'.repeat(3000) } }, ['a'], 60);
    expect(result).toEqual({ ok: false, code: 'too-large' });
    const many = Array.from({ length: 50 }, (_, index) => `${index}`.padEnd(512, 'x'));
    expect(await tickets.issue(ada, many, 60)).toEqual({ ok: false, code: 'too-large' });
  });

  it('may reach the bound but not pass it, and what is issued verifies', async () => {
    let longest = 0;
    let refused = 0;
    for (let length = 2850; length <= 2950; length += 1) {
      const issued = await tickets.issue({ ...ada, claims: { note: 'x'.repeat(length) } }, ['a'], 60);
      if (issued.ok) {
        expect(refused).toBe(0);
        expect(await verify(issued.ticket)).toBe('ok');
        longest = issued.ticket.length;
      } else refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
    expect(longest).toBeLessThanOrEqual(MAX_TICKET_LENGTH);
    expect(longest).toBeGreaterThan(MAX_TICKET_LENGTH - 4);
  });

  it('is checked before anything is done with it', async () => {
    const verifying = vi.spyOn(crypto.subtle, 'verify');
    expect(await verify(`slt1_${'A'.repeat(MAX_TICKET_LENGTH)}`)).toBe('token-invalid');
    expect(verifying).not.toHaveBeenCalled();
  });
});

describe('tampering', () => {
  it('is noticed in every byte and every bit', async () => {
    const { ticket } = await issue();
    const bytes = Buffer.from(ticket.slice('slt1_'.length), 'base64url');
    for (let index = 0; index < bytes.length; index += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed[index] = (changed[index] ?? 0) ^ (1 << bit);
        expect(await verify(`slt1_${changed.toString('base64url')}`)).toBe('token-invalid');
      }
    }
  });

  it('is noticed in every character, the unused bits of the last one included', async () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // Three lengths: the last character holds six, four or two bits that count.
    for (const topic of ['a', 'ab', 'abc']) {
      const { ticket } = await issue([topic]);
      for (const letter of letters) {
        if (ticket.endsWith(letter)) continue;
        expect(await verify(ticket.slice(0, -1) + letter)).toBe('token-invalid');
      }
    }
  });

  it('is noticed in any mutation', async () => {
    const { ticket } = await issue();
    const other = await issue(['another']);
    const piece = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('=', '+', '/', '.', ' ', '\n', '%', '\0', ticket, other.ticket, 'slt1_'),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(ticket.length), fc.nat(ticket.length), piece, async (from, to, insert) => {
        const changed = ticket.slice(0, from) + insert + ticket.slice(to);
        fc.pre(changed !== ticket && changed !== other.ticket);
        expect(await verify(changed)).toBe('token-invalid');
      }),
      { numRuns: 1000 },
    );
  });

  it('cannot join one ticket to the authority of another', async () => {
    const part = (ticket: string) => Buffer.from(ticket.slice('slt1_'.length), 'base64url');
    const [a, b] = [part((await issue(['a'])).ticket), part((await issue(['b'])).ticket)];
    const joined = Buffer.concat([a.subarray(0, 32), b.subarray(32)]).toString('base64url');
    expect(await verify(`slt1_${joined}`)).toBe('token-invalid');
  });

  it('cannot be done with any text at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.base64String()), async (text) => {
        expect(await verify(text)).toBe('token-invalid');
        expect(await verify(`slt1_${text}`)).toBe('token-invalid');
      }),
    );
  });
});

describe('the shape', () => {
  it('tells tokens from tickets', async () => {
    expect(looksLikeToken(await signHs256({ sub: 'ada' }))).toBe(true);
    expect(looksLikeToken('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.')).toBe(true);
    expect(looksLikeToken('eyJhbGciOiJkaXIifQ..aXY.dGV4dA.dGFn')).toBe(true);
    expect(looksLikeToken((await issue()).ticket)).toBe(false);
    expect(looksLikeToken('')).toBe(false);
    expect(looksLikeToken('eyJ')).toBe(false);
  });
});
