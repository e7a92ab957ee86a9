import { openPglite } from '../../src/store/postgres/pglite.ts';
import { checkDefinitionSuite } from './check-definition-suite.ts';

checkDefinitionSuite('checking definitions in the embedded database', async () => {
  const database = await openPglite();
  return { database, close: () => database.close() };
});
