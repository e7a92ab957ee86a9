/** What a collection knows of its table's columns, read once from the drizzle definition. */
import { getTableColumns, is } from 'drizzle-orm';
import { PgArray, type PgColumn, type PgTable } from 'drizzle-orm/pg-core';

/** What a column holds, as far as the wire form, filters and merges care. `other` is text to us (inet, money, domains, …). */
export type ColumnKind =
  | 'boolean'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'text'
  | 'enum'
  | 'uuid'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'interval'
  | 'bytea'
  | 'json'
  | 'array'
  | 'vector'
  | 'geometry'
  | 'shape'
  | 'other';

/** The type of a column, or of the elements of an array. */
export interface ColumnType {
  readonly kind: ColumnKind;
  /** As in SQL, such as `numeric(10, 2)`. */
  readonly sqlType: string;
  /** Its numbers are JSON strings on the wire, so that no reader loses digits. In an array: those of its elements. */
  readonly quoted: boolean;
  /** What an array holds; `undefined` for all else, and for array types that drizzle does not know as such. */
  readonly element: ColumnType | undefined;
  /** The drizzle column; that of an element has no name of its own. */
  readonly drizzle: PgColumn;
}

export interface CollectionColumn extends ColumnType {
  /** The name in the drizzle definition and on the wire. */
  readonly property: string;
  /** The name in the database. */
  readonly column: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Postgres alone writes it: `GENERATED ALWAYS`, as an expression or as an identity. */
  readonly generated: boolean;
  /** `property` as a JSON string. */
  readonly label: string;
}

/** The columns of a table, in the order of its definition. */
export function readColumns(table: PgTable): readonly CollectionColumn[] {
  return Object.entries(getTableColumns(table)).map(([property, drizzle]) => ({
    ...readType(drizzle),
    property,
    column: drizzle.name,
    notNull: drizzle.notNull,
    hasDefault: drizzle.hasDefault,
    generated: isGenerated(drizzle),
    label: JSON.stringify(property),
  }));
}

function isGenerated({ generated, generatedIdentity }: PgColumn): boolean {
  return (generated !== undefined && generated.type !== 'byDefault') || generatedIdentity?.type === 'always';
}

function readType(drizzle: PgColumn): ColumnType {
  const element = is(drizzle, PgArray) ? readType(drizzle.baseColumn as PgColumn) : undefined;
  const kind = kindOf(drizzle);
  return { kind, sqlType: drizzle.getSQLType(), quoted: element?.quoted ?? isQuoted(drizzle, kind), element, drizzle };
}

/** A type of the user's own stays as Postgres writes it: what its reader expects is not known here. */
function isQuoted({ dataType }: PgColumn, kind: ColumnKind): boolean {
  return (kind === 'int8' || kind === 'numeric') && (dataType === 'bigint' || dataType === 'string');
}

const KINDS: Readonly<Record<string, ColumnKind>> = {
  boolean: 'boolean',
  bool: 'boolean',
  smallint: 'int2',
  int2: 'int2',
  smallserial: 'int2',
  integer: 'int4',
  int: 'int4',
  int4: 'int4',
  serial: 'int4',
  bigint: 'int8',
  int8: 'int8',
  bigserial: 'int8',
  real: 'float4',
  float4: 'float4',
  'double precision': 'float8',
  float8: 'float8',
  numeric: 'numeric',
  decimal: 'numeric',
  text: 'text',
  varchar: 'text',
  'character varying': 'text',
  char: 'text',
  character: 'text',
  bpchar: 'text',
  citext: 'text',
  name: 'text',
  uuid: 'uuid',
  date: 'date',
  time: 'time',
  'time without time zone': 'time',
  'time with time zone': 'time',
  timetz: 'time',
  timestamp: 'timestamp',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  timestamptz: 'timestamptz',
  interval: 'interval',
  bytea: 'bytea',
  json: 'json',
  jsonb: 'json',
  vector: 'vector',
  halfvec: 'vector',
  sparsevec: 'vector',
  geometry: 'geometry',
  geography: 'geometry',
  point: 'shape',
  line: 'shape',
  lseg: 'shape',
  box: 'shape',
  path: 'shape',
  polygon: 'shape',
  circle: 'shape',
};

function kindOf(drizzle: PgColumn): ColumnKind {
  // An enum may be called as any type is.
  if (drizzle.columnType === 'PgEnumColumn' || drizzle.columnType === 'PgEnumObjectColumn') return 'enum';
  const name = drizzle.getSQLType().toLowerCase();
  if (name.endsWith(']')) return 'array';
  const bare = name
    .replace(/\([^)]*\)/, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  if (bare.startsWith('interval')) return 'interval';
  return Object.hasOwn(KINDS, bare) ? (KINDS[bare] ?? 'other') : 'other';
}
