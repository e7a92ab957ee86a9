import { beforeAll, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../src/store/memory.ts';
import { append, body, bytesOf, freshKey, readAll } from './contract/log.ts';
import { describeStore, type StoreHarness } from './contract.ts';

let harness: StoreHarness;

beforeAll(() => {
  // What is stored grows older when the store's clock goes forward.
  let ahead = 0;
  const store = createMemoryStore({ clock: () => Date.now() + ahead });
  harness = {
    nodes: [store, store],
    other: async () => createMemoryStore(),
    now: () => Date.now() + ahead,
    async age(ms) {
      ahead += ms;
    },
    close: () => store.close(),
  };
});

describeStore('memory', () => harness);

describe('the bounds of the memory store', () => {
  it('keeps a topic within its bytes at every moment, and never lets go of the newest batch', async () => {
    const { log } = createMemoryStore({ topicBytes: 1000 });
    const text = body('x'.repeat(80));
    for (let index = 1; index <= 100; index += 1) {
      await append(log, 't', [text]);
      const status = await log.topic('t');
      expect(status?.bytes).toBeLessThanOrEqual(1000);
      expect(status?.latest).toBe(index);
    }
    const seen = await readAll(log, 't');
    expect(seen.at(-1)?.seq).toBe(100);
    expect(seen.length).toBeGreaterThanOrEqual(Math.floor(1000 / bytesOf([text]) / 2));
    expect((await log.ranges(['t']))[0]?.oldest).toBe(seen[0]?.seq);
    const large = body('y'.repeat(5000));
    await append(log, 't', [large]);
    expect((await readAll(log, 't')).map((event) => event.body)).toEqual([large]);
  });

  it('forgets the oldest key when there are too many', async () => {
    const { log } = createMemoryStore({ idempotencyKeys: 3 });
    const keys = [freshKey(), freshKey(), freshKey(), freshKey()];
    for (const key of keys) await append(log, 't', [body(1)], key);
    expect((await append(log, 't', [body(1)], keys[3]!)).kind).toBe('replayed');
    expect((await append(log, 't', [body(1)], keys[1]!)).kind).toBe('replayed');
    expect((await append(log, 't', [body(1)], keys[0]!)).kind).toBe('appended');
  });
});
