import { describe, expect, it } from 'vitest';
import { createBackoff } from '../../../src/client/outbox/backoff.ts';

describe('a backoff', () => {
  it('waits up to 1, 2, 4 … 30 seconds', () => {
    const backoff = createBackoff(() => 0.5);
    const waits: number[] = [];
    for (let now = 0; waits.length < 7; now = backoff.until) {
      backoff.fail(now, undefined);
      waits.push(backoff.until - now);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  });

  it('counts what fails at the same time once', () => {
    const backoff = createBackoff(() => 1);
    for (let each = 0; each < 4; each += 1) backoff.fail(100, undefined);
    expect(backoff.until).toBe(1100);
    backoff.fail(1100, undefined);
    expect(backoff.until).toBe(3100);
  });

  it('waits as long as it is asked to, but no longer than ten minutes', () => {
    const backoff = createBackoff(() => 0);
    backoff.fail(0, 5000);
    backoff.fail(0, 1000);
    expect(backoff.until).toBe(5000);
    backoff.fail(5000, 86_400_000);
    expect(backoff.until).toBe(605_000);
  });

  it('is cut short, unless it was asked for', () => {
    const backoff = createBackoff(() => 1);
    backoff.fail(0, undefined);
    backoff.hurry();
    expect(backoff.until).toBe(0);
    backoff.fail(0, 5000);
    backoff.fail(10, undefined);
    backoff.hurry();
    expect(backoff.until).toBe(5000);
  });

  it('begins anew when something went well, though what was asked for still holds', () => {
    const backoff = createBackoff(() => 1);
    for (const now of [0, 1000, 3000]) backoff.fail(now, undefined);
    backoff.succeed();
    expect(backoff.until).toBe(0);
    backoff.fail(5000, undefined);
    expect(backoff.until).toBe(6000);
    backoff.fail(6000, 500);
    backoff.succeed();
    expect(backoff.until).toBe(6500);
  });
});
