/** What browsers load stays small, and holds nothing of the server. */
import { describe, expect, it } from 'vitest';
import { boundOf, bundleModule, ENTRIES, type Entry, measure } from '../scripts/bundles.ts';

describe.for(ENTRIES.map((entry) => [entry.name, entry] as const))('the bundle of %s', ([, entry]) => {
  it('has not grown past its bound, and holds files of its own rooms only, and no package', async () => {
    const { size, strangers } = await measure(entry);
    expect(size).toBeGreaterThan(1000);
    expect(size).toBeLessThanOrEqual(boundOf(entry));
    expect(strangers).toEqual([]);
  });
});

describe('the check of bundles', () => {
  it('finds what is of the server, and packages', async () => {
    const entry: Entry = {
      name: 'a page with the schemas',
      bundle: () => bundleModule('src/protocol/schemas.ts'),
      rooms: ['widget'],
      bar: 0,
      reach: 0,
    };
    const { size, strangers } = await measure(entry);
    expect(size).toBeGreaterThan(entry.bar);
    expect(strangers).toContain('src/protocol/topic.ts');
    expect(strangers.some((file) => file.startsWith('node_modules/zod/'))).toBe(true);
  });
});
