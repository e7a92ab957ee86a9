/** What the database itself says about a collection's table: the types that values are cast to, and what is checked at the start. */
import type { Transaction } from '../store/postgres/database.ts';

export interface ColumnFacts {
  /** The type without its modifier, as a cast names it: a cast to `varchar(3)` would cut a value, and then it would match. */
  readonly cast: string;
  /** The type as a person would write it. */
  readonly type: string;
  /** One letter of `pg_type.typcategory`, such as `N` for numbers and `S` for text. */
  readonly category: string;
  readonly isEnum: boolean;
  /** The type's own name in `pg_type`; of a domain, that of the type below it. */
  readonly base: string;
  /** The values of an enum, in their order. */
  readonly labels: readonly string[];
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Postgres makes the value and refuses any other. */
  readonly generated: boolean;
}

export interface TableFacts {
  /** `r` for a table, `p` for a partitioned one (`pg_class.relkind`). */
  readonly kind: string;
  readonly rowSecurity: boolean;
  readonly columns: ReadonlyMap<string, ColumnFacts>;
  /** The columns of each unique index that holds for every row: no predicate, no expression. */
  readonly uniques: readonly (readonly string[])[];
}

const COLUMNS = `
  SELECT c.relkind::text AS kind, c.relrowsecurity AS row_security,
         a.attname::text AS name, format_type(a.atttypid, -1) AS cast, format_type(a.atttypid, a.atttypmod) AS type,
         t.typcategory::text AS category, coalesce(b.typtype, t.typtype) = 'e' AS is_enum,
         coalesce(b.typname, t.typname)::text AS base,
         (SELECT json_agg(enumlabel::text ORDER BY enumsortorder)::text FROM pg_catalog.pg_enum
          WHERE enumtypid = coalesce(b.oid, t.oid)) AS labels, a.attnotnull AS not_null,
         a.atthasdef OR a.attidentity <> '' AS has_default, a.attgenerated <> '' OR a.attidentity = 'a' AS generated
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type b ON b.oid = nullif(t.typbasetype, 0)
  WHERE c.oid = to_regclass($1::text)`;

const UNIQUES = `
  SELECT json_agg(a.attname::text ORDER BY a.attname)::text AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0 : i.indnkeyatts - 1])
  WHERE i.indrelid = to_regclass($1::text) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  GROUP BY i.indexrelid`;

interface ColumnRow {
  readonly kind: string;
  readonly row_security: boolean;
  readonly name: string;
  readonly cast: string;
  readonly type: string;
  readonly category: string;
  readonly is_enum: boolean;
  readonly base: string;
  /** JSON */
  readonly labels: string | null;
  readonly not_null: boolean;
  readonly has_default: boolean;
  readonly generated: boolean;
}

/**
 * Reads a table's facts.
 *
 * @param relation the table as SQL writes it, quoted
 * @returns `undefined` when there is no such table
 */
export async function readTableFacts(
  database: Pick<Transaction, 'query'>,
  relation: string,
): Promise<TableFacts | undefined> {
  const rows = await database.query<ColumnRow>(COLUMNS, [relation]);
  const [first] = rows;
  if (first === undefined) return undefined;
  const uniques = await database.query<{ readonly columns: string }>(UNIQUES, [relation]);
  return {
    kind: first.kind,
    rowSecurity: first.row_security,
    columns: new Map(
      rows.map((row) => [
        row.name,
        {
          cast: row.cast,
          type: row.type,
          category: row.category,
          isEnum: row.is_enum,
          base: row.base,
          labels: row.labels === null ? [] : (JSON.parse(row.labels) as string[]),
          notNull: row.not_null,
          hasDefault: row.has_default,
          generated: row.generated,
        },
      ]),
    ),
    uniques: uniques.map(({ columns }) => JSON.parse(columns) as string[]),
  };
}
