/**
 * Collections of a Worker against the database itself, through a pool that knows no sessions. Now and then all of workerd is killed, and the object
 * that has the readers loses their sockets, or is ended.
 */
import { describe } from 'vitest';
import { oracle } from '../collections/oracle.ts';
import { CAPTURED, SCHEMA } from '../collections/oracle-tables.ts';
import { PGBOUNCER } from '../support/pgbouncer.ts';
import { findPostgres } from '../support/postgres-database.ts';
import { openWorkerSystem } from './collections-system.ts';

describe.skipIf((await findPostgres()) === undefined || PGBOUNCER === undefined)(
  'collections in workerd, against an oracle',
  () => {
    oracle({
      open: () =>
        openWorkerSystem({
          schema: SCHEMA,
          captured: CAPTURED,
          entry: 'test/cloudflare/oracle-tables-worker.ts',
          pooled: true,
        }),
      steps: Number(process.env['ORACLE_STEPS'] ?? 600),
      disturb: async (system, below) => {
        await fetch(`http://127.0.0.1:${system.port(0)}/${below(2) === 0 ? 'cut' : 'end'}`);
      },
    });
  },
);
