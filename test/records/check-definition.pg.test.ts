import { describe } from 'vitest';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { checkDefinitionSuite } from './check-definition-suite.ts';

describe.skipIf((await findPostgres()) === undefined)('over Postgres', () => {
  checkDefinitionSuite('checking definitions', async () => {
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
