import { describe, expect, it } from 'vitest';
import { type Caller, claimsThatCount, everyRow, fingerprint, rls, scope } from '../../src/records/visibility.ts';

function caller(claims: Record<string, unknown>, role = 'authenticated'): Caller {
  return { role, sub: claims['sub'] as string | undefined, claims };
}

describe('a fingerprint', () => {
  const token = { sub: 'ann', org: { id: 1, roles: ['a', 'b'] } };

  it('is the same for two tokens of one caller, however their claims are ordered', () => {
    const first = caller({ ...token, exp: 1, iat: 1, nbf: 1, jti: 'x' });
    const second = caller({ org: { roles: ['a', 'b'], id: 1 }, exp: 2, jti: 'y', sub: 'ann' });
    expect(fingerprint(rls(), first)).toBe(fingerprint(rls(), second));
    expect(
      fingerprint(
        scope(() => true),
        first,
      ),
    ).toBe(
      fingerprint(
        scope(() => true),
        second,
      ),
    );
  });

  it('tells callers apart by sub, role, any claim, and the order within an array', () => {
    const prints = [
      caller(token),
      caller({ ...token, sub: 'bob' }),
      caller(token, 'admin'),
      caller({ ...token, extra: null }),
      caller({ ...token, org: { id: 1, roles: ['b', 'a'] } }),
      caller({ ...token, org: { id: '1', roles: ['a', 'b'] } }),
    ].map((each) => fingerprint(rls(), each));
    expect(new Set(prints).size).toBe(prints.length);
  });

  it('counts only the claims that are listed, and always the role', () => {
    const visibility = rls({ claims: ['org'] });
    expect(fingerprint(visibility, caller(token))).toBe(fingerprint(visibility, caller({ ...token, sub: 'bob' })));
    expect(fingerprint(visibility, caller(token))).not.toBe(fingerprint(visibility, caller({ sub: 'ann', org: 2 })));
    expect(fingerprint(visibility, caller(token))).not.toBe(fingerprint(visibility, caller(token, 'admin')));
    expect(fingerprint(rls({ claims: [] }), caller(token))).toBe(fingerprint(rls({ claims: [] }), caller({})));
  });

  it('is one for everybody where every row is visible', () => {
    expect(fingerprint(everyRow(), caller(token))).toBe(fingerprint(everyRow(), caller({}, 'anon')));
  });

  it('cannot be forged by claims named after what the server says', () => {
    const forged = { role: 'authenticated', sub: undefined, claims: { role: 'admin' } };
    expect(claimsThatCount(rls(), forged)).toEqual({ role: 'authenticated' });
    expect(claimsThatCount(rls(), { role: 'anon', sub: 'ann', claims: { sub: 'bob' } })).toEqual({
      role: 'anon',
      sub: 'ann',
    });
  });
});

describe('the claims that count', () => {
  it('are no others than the fingerprint tells apart', () => {
    const { claims } = caller({ sub: 'ann', org: 1, exp: 1 });
    expect(claimsThatCount(rls({ claims: ['org'] }), { role: 'r', sub: 'ann', claims })).toEqual({ org: 1, role: 'r' });
    expect(claimsThatCount(rls(), { role: 'r', sub: 'ann', claims })).toEqual({ sub: 'ann', org: 1, role: 'r' });
  });
});

describe('a scope', () => {
  it('hides a row unless it is told true', () => {
    const answers: unknown[] = [true, 1, 'yes', Promise.resolve(true), undefined, false];
    const seen = answers.map((answer) => scope(() => answer as boolean).sees({}, {}));
    expect(seen).toEqual([true, false, false, false, false, false]);
  });
});
