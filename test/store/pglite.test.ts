import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { describeStore, type StoreHarness } from './contract.ts';
import { createPostgresHarness } from './postgres-harness.ts';

let harness: StoreHarness;

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  harness = await createPostgresHarness({
    async open() {
      const database = await openPglite(join(dir, 'postgres'));
      return [database, database];
    },
    other: () => openPglite(),
    close: () => rm(dir, { recursive: true, force: true }),
  });
});
afterAll(() => harness.close());

describeStore('PGlite', () => harness);
