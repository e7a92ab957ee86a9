import { describe, expect, it } from 'vitest';
import { readClaims } from '../../src/auth/claims.ts';
import type { Principal } from '../../src/auth/principal.ts';
import { MAX_CACHED, MAX_CACHED_CHARACTERS, MAX_CACHED_MS, VerifiedCache } from '../../src/auth/verified-cache.ts';
import { START, START_SECONDS } from './issuer.ts';

const principal = (claims: Record<string, unknown> = {}): Principal => readClaims(claims) as Principal;

describe('the cache of verified credentials', () => {
  it('answers the same object each time', () => {
    const cache = new VerifiedCache();
    const answer = cache.add('a', principal(), START);
    expect(cache.get('a', START)).toBe(answer);
    expect(cache.get('b', START)).toBeUndefined();
  });

  it('forgets a credential when it ends', () => {
    const cache = new VerifiedCache();
    cache.add('a', principal({ exp: START_SECONDS + 10 }), START);
    expect(cache.get('a', START + 9999)).toBeDefined();
    expect(cache.get('a', START + 10_000)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('forgets a credential that does not end, or not soon, after a while', () => {
    const cache = new VerifiedCache();
    cache.add('a', principal(), START);
    cache.add('b', principal({ exp: START_SECONDS + 86_400 }), START);
    for (const credential of ['a', 'b']) {
      expect(cache.get(credential, START + MAX_CACHED_MS - 1)).toBeDefined();
      expect(cache.get(credential, START + MAX_CACHED_MS)).toBeUndefined();
    }
  });

  it('lets the oldest go when it holds too many', () => {
    const cache = new VerifiedCache();
    for (let index = 0; index <= MAX_CACHED; index += 1) cache.add(`${index}`, principal(), START);
    expect(cache.size).toBe(MAX_CACHED);
    expect(cache.get('0', START)).toBeUndefined();
    expect(cache.get('1', START)).toBeDefined();
  });

  it('lets the oldest go when it holds too much', () => {
    const cache = new VerifiedCache();
    const large = 'x'.repeat(MAX_CACHED_CHARACTERS / 4 - 1);
    for (let index = 0; index < 5; index += 1) cache.add(`${index}${large}`, principal(), START);
    expect(cache.size).toBe(4);
    expect(cache.get(`0${large}`, START)).toBeUndefined();
    expect(cache.get(`4${large}`, START)).toBeDefined();
  });

  it('counts a credential once, however often it is verified again', () => {
    const cache = new VerifiedCache();
    const large = 'x'.repeat(MAX_CACHED_CHARACTERS / 2);
    cache.add('small', principal(), START);
    for (let turn = 0; turn < 5; turn += 1) cache.add(large, principal(), START + turn);
    expect(cache.get('small', START)).toBeDefined();
  });
});
