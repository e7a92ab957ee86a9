/** Collections of a Worker against the database itself; the object that has their readers loses their sockets, and is ended, now and then. */
import { describe } from 'vitest';
import { oracle } from '../collections/oracle.ts';
import { CAPTURED, SCHEMA } from '../collections/oracle-tables.ts';
import { findPostgres } from '../support/postgres-database.ts';
import { openWorkerSystem } from './collections-system.ts';

describe.skipIf((await findPostgres()) === undefined)('collections in workerd, against an oracle', () => {
  oracle({
    open: () =>
      openWorkerSystem({ schema: SCHEMA, captured: CAPTURED, entry: 'test/cloudflare/oracle-tables-worker.ts' }),
    steps: Number(process.env['ORACLE_STEPS'] ?? 600),
    disturb: async (system, below) => {
      await fetch(`http://127.0.0.1:${system.port(0)}/${below(2) === 0 ? 'cut' : 'end'}`);
    },
  });
});
