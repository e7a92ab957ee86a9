/** Streams of collections from two nodes on one database. */
import { describe } from 'vitest';
import { findPostgres } from '../support/postgres-database.ts';
import { CAPTURED, COLLECTIONS, SCHEMA } from './stream-tables.ts';
import { streamsSuite } from './streams-suite.ts';
import { openSystem } from './system.ts';

describe.skipIf((await findPostgres()) === undefined)('of two nodes', () => {
  streamsSuite('streams of collections', () =>
    openSystem({ schema: SCHEMA, captured: CAPTURED, collections: COLLECTIONS }),
  );
});
