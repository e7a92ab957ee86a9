import { afterEach, describe, expect, it, vi } from 'vitest';
import { createId } from '../../src/client/create-id.ts';

afterEach(() => vi.unstubAllGlobals());

describe('an id', () => {
  it.each(['with', 'without'])('is a random UUID, %s the help of the browser', (how) => {
    if (how === 'without') {
      const { crypto } = globalThis;
      vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
    }
    const ids = Array.from({ length: 500 }, createId);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(ids).size).toBe(500);
  });
});
