/** What holds of collections holds of them in a Worker, over Hyperdrive, through a pool that gives out connections by transaction. */
import { describe } from 'vitest';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { collectionsSuite } from '../http/collections/suite.ts';
import { PGBOUNCER, startPgbouncer } from '../support/pgbouncer.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { deploy } from './deployed.ts';

describe.skipIf((await findPostgres()) === undefined || PGBOUNCER === undefined)('in workerd', () => {
  collectionsSuite(
    'collections',
    async () => {
      const made = await createDatabase();
      const database = await connectPostgres(made);
      const pool = await startPgbouncer(made.url);
      const { url, close } = await deploy({
        entry: 'test/cloudflare/records-worker.ts',
        database: pool.url,
        objects: false,
        settings: {},
      });
      return {
        database,
        send: (request) => fetch(new Request(request.url.replace('http://localhost', url), request)),
        async close() {
          await close();
          await pool.close();
          await database.close();
          await made.drop();
        },
      };
    },
    { dropsEmptyHeaders: true, share: 0.25 },
  );
});
