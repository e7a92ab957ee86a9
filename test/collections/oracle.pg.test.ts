/** Collections of two nodes against the database itself. */
import { describe } from 'vitest';
import { findPostgres } from '../support/postgres-database.ts';
import { oracle } from './oracle.ts';
import { CAPTURED, COLLECTIONS, SCHEMA } from './oracle-tables.ts';
import { openSystem } from './system.ts';

describe.skipIf((await findPostgres()) === undefined)('collections, against an oracle', () => {
  oracle({
    open: () => openSystem({ schema: SCHEMA, captured: CAPTURED, collections: COLLECTIONS }),
    steps: Number(process.env['ORACLE_STEPS'] ?? 2000),
  });
});
