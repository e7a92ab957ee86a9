/** What the database's catalog says of a table that is captured or is to be. */
import type { Transaction } from '../store/postgres/database.ts';
import { quoteTableName, type TableName } from './table-name.ts';

export interface Column {
  readonly name: string;
  /** As Postgres writes it: `integer`, `numeric(10,2)`. */
  readonly type: string;
  readonly notNull: boolean;
  /** Has a default, or is an identity. */
  readonly hasDefault: boolean;
  readonly generated: boolean;
}

/** A table that holds rows or partitions: the table itself, or one of the partitions below it. */
export interface Relation {
  readonly oid: number;
  /** Qualified and quoted where needed: fit for a statement. */
  readonly sql: string;
  /** `pg_class.relkind`: `r` a table, `p` a partitioned one, `v` a view and so on. */
  readonly kind: string;
  /** `p` permanent, `u` unlogged, `t` temporary. */
  readonly persistence: string;
}

export interface Trigger {
  readonly relation: number;
  readonly name: string;
  /** Qualified: `sluice.capture_row`. */
  readonly calls: string;
  /** `pg_trigger.tgtype`: when it fires, as bits. */
  readonly type: number;
  /** `pg_trigger.tgenabled`: `O` and `A` where it fires for ordinary writers. */
  readonly enabled: string;
  readonly arguments: readonly string[];
  /** Has a `WHEN` or a list of columns. */
  readonly conditional: boolean;
}

export interface TableFacts extends Relation {
  readonly schema: string;
  readonly owner: string;
  /** Whether we may act as its owner. */
  readonly owned: boolean;
  readonly system: boolean;
  /** Row security binds the owner of the capture functions as well. */
  readonly forcedRowSecurity: boolean;
  readonly columns: readonly Column[];
  /** In the order of the index; `undefined` without a primary key. */
  readonly primaryKey: readonly string[] | undefined;
  /** The columns of every unique index that holds for all rows at every moment. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** Tables that inherit from it and are no partitions, as SQL. */
  readonly heirs: readonly string[];
  /** All partitions below, at every depth. */
  readonly partitions: readonly Relation[];
  /** Captures of tables above or below it, as SQL. */
  readonly capturedAbove: readonly string[];
  readonly capturedBelow: readonly string[];
  /** Of the table and its partitions, but those that Postgres keeps for itself. */
  readonly triggers: readonly Trigger[];
}

/** The oid of a table, looked up along the search path when the name has no schema. */
export async function findTable(transaction: Transaction, name: TableName): Promise<number | undefined> {
  const [found] = await transaction.query<{ readonly oid: number | null }>('SELECT to_regclass($1)::oid::int8 AS oid', [
    quoteTableName(name),
  ]);
  return found?.oid ?? undefined;
}

const NAMED = "format('%I.%I', n.nspname, c.relname)";

const TABLE = `
  SELECT c.oid::int8, ${NAMED} AS sql, c.relkind::text AS kind, c.relpersistence::text AS persistence, n.nspname::text AS schema,
    r.rolname::text AS owner, pg_has_role(c.relowner, 'USAGE') AS owned,
    n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') AS system,
    c.relforcerowsecurity AND NOT (SELECT f.rolsuper OR f.rolbypassrls FROM pg_roles f
      JOIN pg_proc p ON p.proowner = f.oid WHERE p.oid = 'sluice.capture_truncate'::regproc) AS forced,
    ARRAY(SELECT i.inhrelid::regclass::text FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhrelid
      WHERE i.inhparent = c.oid AND NOT h.relispartition) AS heirs,
    ARRAY(SELECT x.relation::text FROM sluice.captures x
      WHERE c.relispartition AND x.relation <> c.oid AND x.relation IN (SELECT relid FROM pg_partition_ancestors(c.oid))) AS above,
    ARRAY(SELECT x.relation::text FROM sluice.captures x
      WHERE c.relkind = 'p' AND x.relation <> c.oid AND x.relation IN (SELECT relid FROM pg_partition_tree(c.oid))) AS below
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
  WHERE c.oid = $1::int8::oid`;

const COLUMNS = `
  SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS "notNull",
    attgenerated <> '' AS generated, atthasdef OR attidentity <> '' AS "hasDefault"
  FROM pg_attribute WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;

// Names of key columns in the order of their index. Partial indexes, expressions, deferrable and invalid ones do not count.
const KEYS = `
  SELECT i.indisprimary AS primary, ARRAY(
    SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) k
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] ORDER BY k) AS columns
  FROM pg_index i
  WHERE i.indrelid = $1::int8::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
    AND i.indexprs IS NULL
  ORDER BY i.indexrelid`;

const PARTITIONS = `
  SELECT c.oid::int8, ${NAMED} AS sql, c.relkind::text AS kind, c.relpersistence::text AS persistence
  FROM pg_partition_tree($1::int8::oid) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE t.level > 0 ORDER BY t.level, c.oid`;

// Before Postgres 15, what a partition has from the table above counts as internal, as the triggers of foreign keys do.
const TRIGGERS = `
  SELECT t.tgrelid::int8 AS relation, t.tgname::text AS name, pn.nspname || '.' || p.proname AS calls, t.tgtype::int4 AS type,
    t.tgenabled::text AS enabled, t.tgqual IS NOT NULL OR t.tgattr::text <> '' AS conditional,
    t.tgnargs::int4 AS count, encode(t.tgargs, 'escape') AS arguments
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace
  WHERE (NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0)) AND (t.tgrelid = $1::int8::oid OR t.tgrelid IN (SELECT relid FROM pg_partition_tree($1::int8::oid)))
  ORDER BY t.tgrelid, t.tgname`;

interface TableRow extends Relation {
  readonly schema: string;
  readonly owner: string;
  readonly owned: boolean;
  readonly system: boolean;
  readonly forced: boolean;
  readonly heirs: readonly string[];
  readonly above: readonly string[];
  readonly below: readonly string[];
}

interface KeyRow {
  readonly primary: boolean;
  readonly columns: readonly string[];
}

interface TriggerRow extends Omit<Trigger, 'arguments'> {
  readonly count: number;
  readonly arguments: string;
}

/** Reads the catalog. `undefined` when there is nothing of that oid (any more). */
export async function readTable(transaction: Transaction, oid: number): Promise<TableFacts | undefined> {
  const [table] = await transaction.query<TableRow>(TABLE, [oid]);
  if (table === undefined) return undefined;
  const { forced, above, below, ...rest } = table;
  const keys = await transaction.query<KeyRow>(KEYS, [oid]);
  const triggers = await transaction.query<TriggerRow>(TRIGGERS, [oid]);
  return {
    ...rest,
    forcedRowSecurity: forced,
    capturedAbove: above,
    capturedBelow: below,
    columns: await transaction.query<Column>(COLUMNS, [oid]),
    primaryKey: keys.find(({ primary }) => primary)?.columns,
    uniqueKeys: keys.map(({ columns }) => columns),
    partitions: await transaction.query<Relation>(PARTITIONS, [oid]),
    // The catalog ends every argument with a zero byte, which comes as \000.
    triggers: triggers.map(({ count, ...trigger }) => ({
      ...trigger,
      arguments: trigger.arguments.split('\\000').slice(0, count),
    })),
  };
}
