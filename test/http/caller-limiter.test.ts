import { afterEach, describe, expect, it } from 'vitest';
import type { Principal } from '../../src/auth/principal.ts';
import { createCallerLimiter } from '../../src/http/caller-limiter.ts';
import { ALL_GRANTS, NO_GRANTS } from '../../src/protocol/grants.ts';
import { testApps } from './app.ts';

const principal = (sub: string | undefined, admin = false): Principal => ({
  kind: 'token',
  sub,
  role: 'authenticated',
  grants: admin ? ALL_GRANTS : NO_GRANTS,
  expires: undefined,
  issued: 0,
  ids: [],
  claims: {},
});

describe('the limits of one caller', () => {
  it('let a second’s worth of writes go at once, and then one for every interval', () => {
    let now = 50_000;
    const limiter = createCallerLimiter({ writesPerSubject: 4 }, () => now);
    const write = () => limiter.write(principal('a'), undefined);
    for (let n = 0; n < 4; n += 1) expect(write()).toEqual({ ok: true });
    expect(write()).toEqual({ ok: false, retryAfterMs: 250 });
    now += 249;
    expect(write()).toEqual({ ok: false, retryAfterMs: 1 });
    now += 1;
    expect(write()).toEqual({ ok: true });
    expect(write().ok).toBe(false);
    now += 10_000;
    for (let n = 0; n < 4; n += 1) expect(write().ok).toBe(true);
    expect(write().ok).toBe(false);
  });

  it('never let through more than the rate and one second’s worth, whatever the rhythm', () => {
    let now = 0;
    const limiter = createCallerLimiter({ writesPerSubject: 10 }, () => now);
    let passed = 0;
    for (let n = 0; n < 5000; n += 1) {
      now += (n * 7919) % 13;
      if (limiter.write(principal('a'), undefined).ok) passed += 1;
    }
    expect(passed).toBeLessThanOrEqual(10 + now / 100);
    expect(passed).toBeGreaterThanOrEqual(now / 100 - 1);
  });

  it('hold for the subject and for the address, each for itself', () => {
    const limiter = createCallerLimiter({ writesPerSubject: 1, writesPerAddress: 2 }, () => 0);
    expect(limiter.write(principal('a'), '::1').ok).toBe(true);
    expect(limiter.write(principal('a'), '::1').ok).toBe(false);
    expect(limiter.write(principal('b'), '::1').ok).toBe(true);
    expect(limiter.write(principal('c'), '::1').ok).toBe(false);
    expect(limiter.write(principal('c'), '::2').ok).toBe(true);
  });

  it('are none for administrators, nor where nothing names the caller', () => {
    const limiter = createCallerLimiter({ writesPerSubject: 1, streamsPerSubject: 1 }, () => 0);
    for (let n = 0; n < 5; n += 1) {
      expect(limiter.write(principal('a', true), undefined).ok).toBe(true);
      expect(limiter.stream(principal('a', true), undefined)).toBeDefined();
      expect(limiter.write(principal(undefined), undefined).ok).toBe(true);
    }
  });

  it('count open streams until they are released, once', () => {
    const limiter = createCallerLimiter({ streamsPerSubject: 2, streamsPerAddress: 3 });
    const [first, second] = [limiter.stream(principal('a'), 'x'), limiter.stream(principal('a'), 'x')];
    expect(limiter.stream(principal('a'), 'x')).toBeUndefined();
    expect(limiter.stream(principal('b'), 'x')).toBeDefined();
    expect(limiter.stream(principal('c'), 'x')).toBeUndefined();
    first?.release();
    first?.release();
    expect(limiter.stream(principal('a'), 'x')).toBeDefined();
    expect(limiter.stream(principal('a'), 'x')).toBeUndefined();
    second?.release();
  });
});

describe('over HTTP', () => {
  const app = testApps(afterEach);
  const as = { sub: 'a', subscribe: ['**'], publish: ['**'] };

  it('too many writes are 429 with Retry-After and RateLimit', async () => {
    const sluice = app({ callerLimits: { writesPerSubject: 2 } });
    const write = () => sluice.json('/v1/topics/t/events', { as, body: { data: 1 } });
    expect([(await write()).status, (await write()).status]).toEqual([201, 201]);
    const refused = await write();
    expect(`${refused.status} ${refused.body.code}`).toBe('429 rate-limited');
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
    expect(refused.headers.get('RateLimit')).toMatch(/^"writes";r=0;t=\d+$/);
  });

  it('too many streams are 429 with Retry-After, and a stream that ends makes room', async () => {
    const sluice = app({ callerLimits: { streamsPerSubject: 2 } });
    const path = '/v1/topics/t/events';
    const streams = [await sluice.stream(path, { as }), await sluice.stream(path, { as })];
    const refused = await sluice.json(path, { as });
    expect(`${refused.status} ${refused.body.code}`).toBe('429 too-many-streams');
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await sluice.json(`${path}?format=json`, { as })).status).toBe(200);
    await streams[0]!.close();
    await sluice.stream(path, { as });
  });
});
