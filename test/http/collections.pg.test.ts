import { describe } from 'vitest';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { collectionsSuite } from './collections/suite.ts';

describe.skipIf((await findPostgres()) === undefined)('over Postgres', () => {
  collectionsSuite('collections', async () => {
    const made = await createDatabase();
    const database = await connectPostgres(made);
    return {
      database,
      async close() {
        await database.close();
        await made.drop();
      },
    };
  });
});
