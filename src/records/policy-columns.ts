/** Which columns of a table its policies for reading look at, where they look at nothing else. */
import type { Transaction } from '../store/postgres/database.ts';

// Postgres notes for each policy what its expressions use: columns of the table, the whole row as column 0, other tables, functions that
// are not its own. Types and collations say nothing of a row.
const USES = `
  SELECT DISTINCT a.attname::text AS column,
    a.attname IS NULL AND NOT (d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid IN (
      SELECT f.oid FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
      WHERE n.nspname = 'auth' AND f.proname IN ('uid', 'role', 'jwt') AND f.pronargs = 0
    )) AS more
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid AND d.deptype = 'n'
    AND d.refclassid NOT IN ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_collation'::regclass, 'pg_catalog.pg_authid'::regclass)
  LEFT JOIN pg_catalog.pg_attribute a ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = p.polrelid
    AND a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
  WHERE p.polrelid = to_regclass($1::text) AND p.polcmd IN ('r', '*')`;

/**
 * @param relation the table as SQL writes it, quoted
 * @returns names of columns; `undefined` when a policy looks at anything else: the whole row, another table, a function of the user's
 */
export async function policyColumns(
  database: Pick<Transaction, 'query'>,
  relation: string,
): Promise<readonly string[] | undefined> {
  const rows = await database.query<{ readonly column: string | null; readonly more: boolean }>(USES, [relation]);
  return rows.some(({ more }) => more) ? undefined : rows.flatMap(({ column }) => column ?? []);
}
