import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/client/outbox/memory-store.ts';
import type { Kept } from '../../../src/client/outbox/store.ts';
import { STORE_PROMISES } from './store-contract.ts';

describe('the store contract: memory', () => {
  it.each(Object.entries(STORE_PROMISES))('%s', async (_, promise) => {
    const entries = new Map<number, Kept>();
    await promise(async () => createMemoryStore(entries));
  });
});

describe('a store in memory', () => {
  it('is this tab’s alone', () => {
    expect(createMemoryStore().shared).toBe(false);
  });
});
