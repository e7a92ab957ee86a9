import { describe, expect, it } from 'vitest';
import { createMemory, createMemoryStore } from '../../../src/client/outbox/memory-store.ts';
import { STORE_PROMISES } from './store-contract.ts';

describe('the store contract: memory', () => {
  it.each(Object.entries(STORE_PROMISES))('%s', async (_, promise) => {
    const memory = createMemory();
    await promise(async () => createMemoryStore(memory));
  });
});

describe('a store in memory', () => {
  it('is shared only where it is given what it shares', () => {
    expect(createMemoryStore().shared).toBe(false);
    expect(createMemoryStore(createMemory()).shared).toBe(true);
  });
});
