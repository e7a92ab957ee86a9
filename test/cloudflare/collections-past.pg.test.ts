/** The past of records of a Worker. */
import { describe } from 'vitest';
import { pastSuite } from '../collections/past-suite.ts';
import { CAPTURED, SCHEMA } from '../collections/past-tables.ts';
import { findPostgres } from '../support/postgres-database.ts';
import { openWorkerSystem } from './collections-system.ts';

describe.skipIf((await findPostgres()) === undefined)('in workerd', () => {
  pastSuite('the past of records on a server', () =>
    openWorkerSystem({ schema: SCHEMA, captured: CAPTURED, entry: 'test/cloudflare/past-tables-worker.ts' }),
  );
});
