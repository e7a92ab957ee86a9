/** Which columns of a table its policies for reading look at. */
import type { Transaction } from '../store/postgres/database.ts';

// Postgres notes for each policy which columns its expressions use; the whole row, or the table in a query of its own, as column 0.
const COLUMNS = `
  SELECT DISTINCT a.attname::text AS name
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = p.polrelid AND d.deptype = 'n'
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
  WHERE p.polrelid = to_regclass($1::text) AND p.polcmd IN ('r', '*')`;

/**
 * @param relation the table as SQL writes it, quoted
 * @returns names of columns; `undefined` when a policy looks at the whole row, and so at any
 */
export async function policyColumns(
  database: Pick<Transaction, 'query'>,
  relation: string,
): Promise<readonly string[] | undefined> {
  const rows = await database.query<{ readonly name: string | null }>(COLUMNS, [relation]);
  const names = rows.flatMap(({ name }) => name ?? []);
  return names.length < rows.length ? undefined : names;
}
