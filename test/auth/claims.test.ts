import { describe, expect, it } from 'vitest';
import { readClaims } from '../../src/auth/claims.ts';

describe('claims', () => {
  it('need nothing: an empty set is somebody without a name, a right or an end', () => {
    const principal = readClaims({});
    expect(principal).toMatchObject({
      kind: 'token',
      sub: undefined,
      role: 'authenticated',
      expires: undefined,
      issued: 0,
      ids: [],
    });
    expect(principal?.grants.allows('subscribe', 'a')).toBe(false);
  });

  it('keep those that are not ours, for policies and row-level security', () => {
    const claims = { sub: 'ada', app_metadata: { org: 7 }, email: null };
    expect(readClaims(claims)?.claims).toEqual(claims);
  });

  it('give times in ms', () => {
    expect(readClaims({ iat: 1, exp: 2.5 })).toMatchObject({ issued: 1000, expires: 2500 });
  });

  it.each(['anon', 'web_user', '_x', 'Role$1', 'r'.repeat(63)])('accept the role %s', (role) => {
    expect(readClaims({ role })?.role).toBe(role);
  });

  it.each(['', 'a b', '1st', 'a-b', 'a"b', "a'; drop", 'r'.repeat(64), 'rôle', null, 7, ['anon']])(
    'refuse the role %j',
    (role) => {
      expect(readClaims({ role })).toBeUndefined();
    },
  );

  it.each([
    [{ sub: '' }],
    [{ sub: 7 }],
    [{ sub: null }],
    [{ sub: 'a\0b' }],
    [{ sub: 'a\nb' }],
    [{ sub: '\ud800' }],
    [{ sub: 'a'.repeat(513) }],
    [{ jti: '' }],
    [{ jti: 'a'.repeat(513) }],
    [{ exp: 'soon' }],
    [{ exp: 8.65e12 }],
    [{ iat: Number.NaN }],
    [{ sluice: null }],
    [{ sluice: [] }],
    [{ sluice: { subscribe: '**' } }],
    [{ sluice: { subscribe: ['a b'] } }],
    [{ sluice: { publish: ['a:**:b'] } }],
    [{ sluice: { admin: 'yes' } }],
    [{ sluice: { subscribe: Array(201).fill('a') } }],
  ])('refuse %j', (claims) => {
    expect(readClaims(claims)).toBeUndefined();
  });

  it('are not taken from a prototype key', () => {
    const principal = readClaims(JSON.parse('{"__proto__":{"sluice":{"admin":true},"role":"postgres"}}'));
    expect(principal?.grants.admin).toBe(false);
    expect(principal?.role).toBe('authenticated');
  });
});
