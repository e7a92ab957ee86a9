import { afterEach, describe, expect, it, vi } from 'vitest';
import { createId } from '../../src/client/create-id.ts';

afterEach(() => vi.unstubAllGlobals());

describe('an id', () => {
  it('is 128 random bits, also on a page that was not loaded securely', () => {
    const { crypto } = globalThis;
    vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
    const ids = Array.from({ length: 500 }, createId);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(500);
  });
});
