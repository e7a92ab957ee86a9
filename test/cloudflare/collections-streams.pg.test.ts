/** Streams of collections of a Worker. */
import { describe } from 'vitest';
import { CAPTURED, SCHEMA } from '../collections/stream-tables.ts';
import { streamsSuite } from '../collections/streams-suite.ts';
import { findPostgres } from '../support/postgres-database.ts';
import { openWorkerSystem } from './collections-system.ts';

describe.skipIf((await findPostgres()) === undefined)('in workerd', () => {
  streamsSuite('streams of collections', () =>
    openWorkerSystem({ schema: SCHEMA, captured: CAPTURED, entry: 'test/cloudflare/stream-tables-worker.ts' }),
  );
});
