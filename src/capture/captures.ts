/** The table `sluice.captures`, row by row. */
import type { Transaction } from '../store/postgres/database.ts';

/** A captured table. */
export interface Capture {
  /** What the triggers give to every change. It stays when the table is renamed. */
  readonly id: number;
  /** The table's name as SQL: qualified, and quoted where needed. `undefined` when the table was dropped. */
  readonly table: string | undefined;
  /** The table's oid, dropped or not. */
  readonly oid: number;
  /** The columns that tell one row from another. */
  readonly key: readonly string[];
}

const SELECT = `
  SELECT x.id, x.relation::oid::int8 AS oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, x.key
  FROM sluice.captures x LEFT JOIN pg_class c ON c.oid = x.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace`;

interface Row {
  readonly id: number;
  readonly oid: number;
  readonly name: string | null;
  readonly key: readonly string[];
}

function toCapture({ id, oid, name, key }: Row): Capture {
  return { id, oid, key, table: name ?? undefined };
}

export async function readCaptures(transaction: Transaction): Promise<readonly Capture[]> {
  return (await transaction.query<Row>(`${SELECT} ORDER BY x.id`)).map(toCapture);
}

/** The capture of the table of that oid. */
export async function readCapture(transaction: Transaction, oid: number): Promise<Capture | undefined> {
  const [row] = await transaction.query<Row>(`${SELECT} WHERE x.relation = $1::int8::oid`, [oid]);
  return row && toCapture(row);
}
