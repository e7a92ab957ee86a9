import { afterAll, beforeAll, describe } from 'vitest';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { describeStore, type StoreHarness } from './contract.ts';
import { createPostgresHarness } from './postgres-harness.ts';

describe.skipIf((await findPostgres()) === undefined)('on a server', () => {
  let harness: StoreHarness;

  beforeAll(async () => {
    const made = [await createDatabase(), await createDatabase()];
    harness = await createPostgresHarness({
      // Both at once, so that their migrations meet too.
      open: () => Promise.all([connectPostgres(made[0]!), connectPostgres(made[0]!)]),
      other: () => connectPostgres(made[1]!),
      async close() {
        for (const database of made) await database.drop();
      },
    });
  });
  afterAll(() => harness.close());

  describeStore('Postgres', () => harness);
});
