/** The past of records on two nodes. */
import { describe } from 'vitest';
import { findPostgres } from '../support/postgres-database.ts';
import { pastSuite } from './past-suite.ts';
import { CAPTURED, COLLECTIONS, SCHEMA } from './past-tables.ts';
import { openSystem } from './system.ts';

describe.skipIf((await findPostgres()) === undefined)('of two nodes', () => {
  pastSuite('the past of records on a server', () =>
    openSystem({ schema: SCHEMA, captured: CAPTURED, collections: COLLECTIONS }),
  );
});
