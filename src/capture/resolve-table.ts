/** From the name that somebody gave to the table that it means. */
import type { Transaction } from '../store/postgres/database.ts';
import { type Finding, fault } from './finding.ts';
import { findTable, readTable, type TableFacts } from './table-facts.ts';
import { parseTableName, quoteTableName } from './table-name.ts';

export type Resolved =
  | { readonly ok: true; readonly table: TableFacts }
  | { readonly ok: false; readonly finding: Finding };

export async function resolveTable(transaction: Transaction, text: string): Promise<Resolved> {
  const name = parseTableName(text);
  if (name === undefined)
    return missing(
      `${JSON.stringify(text)} is not the name of a table.`,
      'Write name, schema.name or "Odd name", as in SQL.',
    );
  const oid = await findTable(transaction, name);
  const table = oid === undefined ? undefined : await readTable(transaction, oid);
  if (table !== undefined) return { ok: true, table };
  const similar = await transaction.query<{ readonly schema: string; readonly name: string }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE lower(c.relname) = lower($1) AND c.relkind IN ('r', 'p') ORDER BY 1, 2 LIMIT 5`,
    [name.name],
  );
  const [there] = await transaction.query<{ readonly database: string }>('SELECT current_database()::text AS database');
  return missing(
    `There is no table ${quoteTableName(name)} in the database ${JSON.stringify(there?.database ?? '')}.`,
    similar.length === 0
      ? 'Create it first, or name its schema: schema.name.'
      : `Did you mean ${similar.map((one) => `'${quoteTableName(one)}'`).join(' or ')}?`,
  );
}

function missing(message: string, remedy: string): Resolved {
  return { ok: false, finding: fault('no-table', message, remedy) };
}
