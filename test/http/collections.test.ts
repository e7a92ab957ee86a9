import { openPglite } from '../../src/store/postgres/pglite.ts';
import { collectionsSuite } from './collections/suite.ts';

collectionsSuite('collections in the embedded database', async () => {
  const database = await openPglite();
  return { database, close: () => database.close() };
});
