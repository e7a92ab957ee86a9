/**
 * The definition of a collection: a table of the database as a live resource (protocol section 6). What can be seen to be
 * wrong with it is said at once, as a `TypeError`; what only the database knows is checked when the server starts.
 */
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { isTopic } from '../protocol/topic.ts';
import { type CollectionColumn, readColumns } from './columns.ts';
import { type RecordSchemas, recordSchemas } from './record-schemas.ts';
import type { Visibility } from './visibility.ts';
import type { FieldOf, MergeFunction, MergePolicyOf, RecordOf, WireRecord } from './wire-types.ts';

export interface CollectionOptions<Table extends PgTable> {
  /** A drizzle `pgTable`. It needs a column `version` (`integer` or `bigint`, not null, in the database with default 1). */
  readonly table: Table;
  /** The properties that name a record. Default: the table's primary key. */
  readonly key?: FieldOf<Table> | readonly FieldOf<Table>[];
  /**
   * What becomes of a field that the client and somebody else changed, when a write names its `Base-Version`. `reject` (the
   * default) answers with the conflict, `client` and `server` take one side, `add` adds what the client added to a number,
   * `union` takes up what the client added to and removed from an array, and a function decides.
   */
  readonly merge?: { readonly [F in FieldOf<Table>]?: MergePolicyOf<Table, F> };
  /** The properties to filter and order by. Default: all but json, bytea, arrays, vectors and shapes. */
  readonly filterable?: readonly FieldOf<Table>[];
  /** Who sees which rows; there is no default. */
  readonly visibility: Visibility<RecordOf<Table>>;
  /** Refuses every write through the API. Default: `false`. */
  readonly readOnly?: boolean;
}

/** A policy whose field's type is not known at this place. */
export type MergePolicy = 'reject' | 'client' | 'server' | 'add' | 'union' | MergeFunction<unknown>;

export interface Collection<Table extends PgTable = PgTable, Name extends string = string> {
  /** The name in URLs, and of the topic that its changes are read from. */
  readonly name: Name;
  readonly table: Table;
  /** The table's schema as defined; `undefined` leaves it to the search path. */
  readonly schema: string | undefined;
  readonly tableName: string;
  /** The table as SQL writes it, quoted: `"orders"`, `"shop"."orders"`. */
  readonly sqlName: string;
  /** In the order of the definition. */
  readonly columns: readonly CollectionColumn[];
  readonly byProperty: ReadonlyMap<string, CollectionColumn>;
  readonly byColumn: ReadonlyMap<string, CollectionColumn>;
  /** At least one. */
  readonly key: readonly CollectionColumn[];
  readonly version: CollectionColumn;
  /** By property. What is not in it is `reject`. */
  readonly merge: ReadonlyMap<string, MergePolicy>;
  /** Properties. */
  readonly filterable: ReadonlySet<string>;
  readonly visibility: Visibility<WireRecord>;
  readonly readOnly: boolean;
  readonly schemas: RecordSchemas<Table>;
}

/**
 * Defines a collection.
 *
 * @param name a legal topic
 * @throws TypeError that names what is wrong
 * @example
 * const orders = collection('orders', {
 *   table: ordersTable,
 *   merge: { stock: 'add', note: 'client' },
 *   visibility: rls({ claims: ['sub'] }),
 * });
 */
export function collection<Table extends PgTable, const Name extends string>(
  name: Name,
  options: CollectionOptions<Table>,
): Collection<Table, Name> {
  if (!isTopic(name)) throw new TypeError(`collection ${JSON.stringify(name)}: the name is not a legal topic`);
  const fail = (reason: string): TypeError => new TypeError(`collection ${name}: ${reason}`);
  const { schema, name: tableName, primaryKeys } = getTableConfig(options.table);
  const columns = readColumns(options.table);
  const byProperty = new Map(columns.map((column) => [column.property, column]));
  const byColumn = new Map(columns.map((column) => [column.column, column]));

  if (columns.some(({ property }) => property === '__proto__')) throw fail('no property can be called __proto__');
  const named = (option: string, property: string): CollectionColumn => {
    const column = byProperty.get(property);
    if (column === undefined) throw fail(`${option} names ${JSON.stringify(property)}, which the table does not have`);
    return column;
  };

  const version = byColumn.get('version');
  if (version === undefined) {
    throw fail(`the table ${tableName} has no column version. Add version: integer('version').notNull().default(1)`);
  }
  if ((version.kind !== 'int4' && version.kind !== 'int8') || !version.notNull || version.generated) {
    throw fail(`the column version of ${tableName} must be integer or bigint, not null, and not generated`);
  }

  const key = readKey(options, columns, primaryKeys[0]?.columns.map((column) => column.name) ?? [], named);
  if (key.length === 0) throw fail(`the table ${tableName} has no primary key. Say by key what names a record`);
  for (const column of key) {
    const reason = reasonAgainstKey(column);
    if (reason !== undefined) throw fail(`${column.property} cannot be in the key: ${reason}`);
  }
  if (new Set(key).size !== key.length) throw fail('the key names a property twice');

  const merge = new Map<string, MergePolicy>();
  for (const [property, policy] of Object.entries<unknown>(options.merge ?? {})) {
    if (policy === undefined) continue;
    const column = named('merge', property);
    if (!isPolicy(policy)) throw fail(`merge of ${property} is neither a policy nor a function`);
    const reason = reasonAgainstPolicy(column, policy, key.includes(column), column === version);
    if (reason !== undefined) throw fail(`merge of ${property}: ${reason}`);
    merge.set(property, policy);
  }

  for (const property of options.filterable ?? []) {
    const column = named('filterable', property);
    if (!isFilterable(column)) throw fail(`${property} cannot be filterable: it is ${column.sqlType}`);
  }
  const filterable = new Set<string>(
    options.filterable ??
      columns.filter((column) => isFilterable(column) && column.kind !== 'bytea').map(({ property }) => property),
  );

  const visibility = options.visibility as Visibility<WireRecord> | undefined;
  if (!VISIBILITIES.has(visibility?.kind ?? '') || visibility === undefined) {
    throw fail('visibility must be said: rls(), scope(…) or everyRow()');
  }

  return {
    name,
    table: options.table,
    schema,
    tableName,
    sqlName: schema === undefined ? quoteName(tableName) : `${quoteName(schema)}.${quoteName(tableName)}`,
    columns,
    byProperty,
    byColumn,
    key,
    version,
    merge,
    filterable,
    visibility,
    readOnly: options.readOnly ?? false,
    schemas: recordSchemas(options.table, columns, key),
  };
}

/** A name as SQL writes it, quoted. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const VISIBILITIES: ReadonlySet<string> = new Set(['rls', 'scope', 'everyRow']);

/** What has no order that means anything to a filter. */
const INCOMPARABLE: ReadonlySet<string> = new Set(['json', 'array', 'vector', 'geometry', 'shape', 'interval']);

/** Of some types only Postgres knows which values are equal. */
function isFilterable({ kind, sqlType }: CollectionColumn): boolean {
  return !INCOMPARABLE.has(kind) && !/^(?:citext|timetz|time\b.*with time zone)/i.test(sqlType);
}

const NUMBERS: ReadonlySet<string> = new Set(['int2', 'int4', 'int8', 'float4', 'float8', 'numeric']);

function readKey<Table extends PgTable>(
  { key }: CollectionOptions<Table>,
  columns: readonly CollectionColumn[],
  composite: readonly string[],
  named: (option: string, property: string) => CollectionColumn,
): readonly CollectionColumn[] {
  if (key !== undefined) return [key].flat().map((property) => named('key', property));
  if (composite.length > 0) return composite.flatMap((name) => columns.find(({ column }) => column === name) ?? []);
  return columns.filter(({ drizzle }) => drizzle.primary);
}

/** A key is compared as text, so a value must have one text only. */
function reasonAgainstKey({ kind, quoted, notNull, column }: CollectionColumn): string | undefined {
  if (!notNull) return 'it may be null';
  if (column === 'version') return 'it is the version';
  const floating = kind === 'float4' || kind === 'float8' || (kind === 'numeric' && !quoted);
  return floating || INCOMPARABLE.has(kind) ? 'its value has more than one text' : undefined;
}

function isPolicy(policy: unknown): policy is MergePolicy {
  return typeof policy === 'function' || ['reject', 'client', 'server', 'add', 'union'].includes(String(policy));
}

function reasonAgainstPolicy(
  { kind, generated, sqlType }: CollectionColumn,
  policy: MergePolicy,
  isKey: boolean,
  isVersion: boolean,
): string | undefined {
  if (isKey || isVersion || generated) return 'no patch can change it';
  if (policy === 'add' && !NUMBERS.has(kind)) return `add is for numbers, and it is ${sqlType}`;
  if (policy === 'union' && kind !== 'array' && kind !== 'json') return `union is for arrays, and it is ${sqlType}`;
  return undefined;
}
