/** The audit in Postgres: the table `sluice.accesses`. */
import type { AuditStore, StoredAccess } from '../audit-store.ts';
import type { Database, Parameter } from './database.ts';

const FIELDS = 'ref, node, kind, name, key, sub, role, address, request, since, until, count';

const BEGIN = `
  INSERT INTO sluice.accesses (${FIELDS})
  SELECT ${FIELDS} FROM jsonb_to_recordset($1::text::jsonb) AS entry (
    ref uuid, node text, kind text, name text, key text, sub text, role text, address text, request text,
    since bigint, until bigint, count int
  ) ON CONFLICT (ref) DO NOTHING`;

const END = `
  UPDATE sluice.accesses a SET until = ended.until
  FROM jsonb_to_recordset($1::text::jsonb) AS ended (ref uuid, until bigint) WHERE a.ref = ended.ref`;

/** Entries forgotten in one statement. */
const STEP = 1000;

const PRUNE = `
  DELETE FROM sluice.accesses WHERE id IN (
    SELECT id FROM sluice.accesses
    WHERE since < $1::bigint AND coalesce(until, since) < $1::bigint ORDER BY since LIMIT ${STEP}
  ) RETURNING 1`;

export function createPostgresAudit(database: Database): AuditStore {
  return {
    async begin(entries) {
      await database.query(BEGIN, [JSON.stringify(entries)]);
    },
    async end(ends) {
      await database.query(END, [JSON.stringify(ends)]);
    },
    read({ name, sub, since, until, after, limit }) {
      const parameters: Parameter[] = [limit];
      // Only what is asked for is in the statement, so that the planner can see which index serves it.
      const conditions: string[] = [];
      const where = (condition: (...places: readonly string[]) => string, ...values: readonly Parameter[]) => {
        const places = values.map((value) => `$${parameters.push(value)}`);
        conditions.push(condition(...places));
      };
      if (name !== undefined) where((place) => `name = ${place}`, name);
      if (sub !== undefined) where((place) => `sub = ${place}`, sub);
      if (since !== undefined) where((place) => `(until IS NULL OR until >= ${place}::bigint)`, since);
      if (until !== undefined) where((place) => `since < ${place}::bigint`, until);
      if (after !== undefined)
        where((one, other) => `(since, id) < (${one}::bigint, ${other}::bigint)`, after.since, after.id);
      const filter = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
      return database.query<StoredAccess>(
        `SELECT id, ${FIELDS} FROM sluice.accesses ${filter} ORDER BY since DESC, id DESC LIMIT $1::int`,
        parameters,
      );
    },
    async prune(before) {
      for (let forgotten = 0; ; ) {
        const step = (await database.query(PRUNE, [before])).length;
        forgotten += step;
        if (step < STEP) return forgotten;
      }
    },
  };
}
