/** Whether collections are defined as their tables are. Asked once, when the server starts: it is no time for surprises later. */
import type { Database } from '../store/postgres/database.ts';
import type { Collection } from './collection.ts';
import type { CollectionColumn, ColumnKind, ColumnType } from './columns.ts';
import { type ColumnFacts, readTableFacts, type TableFacts } from './table-facts.ts';

/** Definitions that do not match the database. The message names every mismatch, a line each. */
export class DefinitionMismatch extends Error {
  override readonly name = 'DefinitionMismatch';
  readonly code = 'definition-mismatch';
  /** `table.column: what`, or `table: what`. */
  readonly mismatches: readonly string[];

  constructor(mismatches: readonly string[]) {
    super(`The definitions do not match the database:\n${mismatches.map((each) => `- ${each}`).join('\n')}`);
    this.mismatches = mismatches;
  }
}

/**
 * Compares definitions with the database.
 *
 * @throws DefinitionMismatch that names everything that does not match; StoreUnavailable
 */
export async function checkDefinitions(
  database: Pick<Database, 'query'>,
  collections: readonly Collection[],
): Promise<void> {
  const mismatches: string[] = [];
  for (const collection of collections) {
    const checked = await compareDefinition(database, collection);
    if (!checked.ok) mismatches.push(...checked.mismatches);
  }
  if (mismatches.length > 0) throw new DefinitionMismatch(mismatches);
}

export async function checkDefinition(database: Pick<Database, 'query'>, collection: Collection): Promise<void> {
  await checkDefinitions(database, [collection]);
}

/** What is known of the table of a collection that is defined as it is; or how it is not. @throws StoreUnavailable */
export async function compareDefinition(
  database: Pick<Database, 'query'>,
  collection: Collection,
): Promise<
  { readonly ok: true; readonly facts: TableFacts } | { readonly ok: false; readonly mismatches: readonly string[] }
> {
  const facts = await readTableFacts(database, collection.sqlName);
  if (facts === undefined) return { ok: false, mismatches: [`${collection.sqlName}: there is no such table`] };
  const mismatches = compare(collection, facts);
  return mismatches.length === 0 ? { ok: true, facts } : { ok: false, mismatches };
}

function compare(collection: Collection, facts: TableFacts): readonly string[] {
  const { sqlName, key, version, visibility, readOnly } = collection;
  const found: string[] = [];
  if (facts.kind !== 'r' && facts.kind !== 'p') found.push(`${sqlName}: it is not a table`);
  if (visibility.kind === 'rls' && !facts.rowSecurity)
    found.push(`${sqlName}: rls() needs it: ALTER TABLE ${sqlName} ENABLE ROW LEVEL SECURITY`);
  for (const column of collection.columns) {
    const fact = facts.columns.get(column.column);
    const reasons =
      fact === undefined ? ['there is no such column'] : compareColumn(column, fact, readOnly || column === version);
    found.push(...reasons.map((reason) => `${collection.tableName}.${column.column}: ${reason}`));
  }
  if (facts.columns.get(version.column)?.hasDefault === false && !readOnly)
    found.push(`${collection.tableName}.${version.column}: it needs a default: ALTER COLUMN version SET DEFAULT 1`);
  if (!readOnly) {
    for (const [name, fact] of facts.columns) {
      if (!collection.byColumn.has(name) && fact.notNull && !fact.hasDefault && !fact.generated)
        found.push(
          `${collection.tableName}.${name}: it has no default and may not be null, and the definition lacks it`,
        );
    }
  }
  const names = new Set(key.map(({ column }) => column));
  if (!facts.uniques.some((columns) => columns.every((column) => names.has(column))))
    found.push(`${sqlName}: no unique index makes (${[...names].join(', ')}) the key of one row`);
  return found;
}

function compareColumn(column: CollectionColumn, fact: ColumnFacts, readOnly: boolean): readonly string[] {
  const found: string[] = [];
  if (!fits(column, fact) || !hasModifier(column, fact))
    found.push(`it is ${fact.type}, and defined as ${column.sqlType}`);
  else if (column.kind === 'enum') {
    const defined = new Set(column.drizzle.enumValues ?? []);
    const lacking = fact.labels.filter((label) => !defined.has(label));
    if (lacking.length > 0) found.push(`the definition lacks the values ${lacking.join(', ')}`);
  }
  if (column.notNull && !fact.notNull) found.push('it may be null, and is defined as not null');
  if (column.generated !== fact.generated)
    found.push(
      fact.generated ? 'Postgres generates it always, and it is not defined so' : 'it is not generated, and defined so',
    );
  if (!readOnly && !fact.generated && fact.notNull && !fact.hasDefault && (column.hasDefault || !column.notNull))
    found.push('it may not be null and has no default in the database, so the definition cannot let it be left out');
  return found;
}

/** What `pg_type` calls the types of a kind. */
const NAMES: Readonly<Partial<Record<ColumnKind, readonly string[]>>> = {
  boolean: ['bool'],
  int2: ['int2'],
  int4: ['int4'],
  int8: ['int8'],
  float4: ['float4'],
  float8: ['float8'],
  numeric: ['numeric'],
  uuid: ['uuid'],
  date: ['date'],
  time: ['time', 'timetz'],
  timestamp: ['timestamp'],
  timestamptz: ['timestamptz'],
  interval: ['interval'],
  bytea: ['bytea'],
  json: ['json', 'jsonb'],
};

/** What `pg_type` calls an array of a type. */
function fitsElement({ kind }: ColumnType, base: string): boolean {
  const names = NAMES[kind];
  if (names !== undefined) return names.some((name) => base === `_${name}`);
  return kind !== 'text' || !NO_TEXT_ELEMENTS.has(base);
}

const NO_TEXT_ELEMENTS: ReadonlySet<string> = new Set(
  ['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'json', 'jsonb'].map((name) => `_${name}`),
);

/** Whether a length, precision or scale that is defined is that of the table: clients are told of it. */
function hasModifier({ kind, sqlType }: CollectionColumn, { type }: ColumnFacts): boolean {
  if (kind !== 'numeric' && kind !== 'text') return true;
  const modifier = (text: string) => /\(([\d, ]+)\)/.exec(text)?.[1]?.replaceAll(' ', '').replace(/,0$/, '');
  const defined = modifier(sqlType);
  return defined === undefined || defined === modifier(type);
}

/** Types whose JSON is no string, by name and by category (`pg_type.typcategory`). */
const NO_TEXT = new Set(['json', 'jsonb', 'hstore']);
const NO_TEXT_CATEGORIES = new Set(['A', 'B', 'C', 'N']);

function fits({ kind, element }: CollectionColumn, { base, category, isEnum }: ColumnFacts): boolean {
  const names = NAMES[kind];
  if (names !== undefined) return names.includes(base);
  switch (kind) {
    case 'text':
      // Whatever is a string on the wire can be defined as text, such as an enum or an address.
      return !NO_TEXT.has(base) && !NO_TEXT_CATEGORIES.has(category);
    case 'enum':
      return isEnum;
    case 'array':
      return category === 'A' && (element === undefined || fitsElement(element, base));
    default:
      return true;
  }
}
