/**
 * What the database's refusal of a write means to whoever sent it (PostgreSQL, appendix A). The fields are named by their properties,
 * found in the catalogue; the database's own text never leaves the server.
 */
import type { ProblemCode, ProblemIssue } from '../protocol/problem.ts';
import type { Database } from '../store/postgres/database.ts';
import { type DriverError, readDriverError, sqlState } from '../store/postgres/sql-state.ts';
import { type Collection, quoteName } from './collection.ts';
import type { Refusal } from './outcome.ts';
import type { Visibility } from './visibility.ts';

export interface FailedWrite {
  readonly collection: Collection;
  readonly removing: boolean;
  /** JSON text of an array of the values that were to be written, keyed by column; and the columns that they have. */
  readonly values: string;
  readonly columns: readonly string[];
  /** The key that was asked for, where what it names is not created: the values' texts. A key that no row can have names nothing. */
  readonly key?: readonly string[];
}

const CONSTRAINTS: Readonly<Record<string, { readonly code: ProblemCode; readonly message: string }>> = {
  '23502': { code: 'not-null', message: 'must have a value' },
  '23503': { code: 'foreign-key', message: 'refers to nothing that exists' },
  '23505': { code: 'unique', message: 'another record has this value' },
  '23514': { code: 'check', message: 'not among the values allowed' },
  '23P01': { code: 'exclusion', message: 'excluded by another record' },
};

/** The columns of a constraint, or of a unique index that is none. `referenced`: those of our table that others point to. */
const COLUMNS = `
  SELECT a.attname::text AS name, c.referenced FROM (
    SELECT conrelid AS relation, conkey AS numbers, false AS referenced FROM pg_catalog.pg_constraint
    WHERE conname = $1::text AND conrelid = to_regclass($2::text) AND NOT ($4::int = 1 AND contype = 'f' AND confrelid = to_regclass($3::text))
    UNION ALL
    SELECT confrelid, confkey, true FROM pg_catalog.pg_constraint
    WHERE conname = $1::text AND conrelid = to_regclass($2::text) AND contype = 'f' AND confrelid = to_regclass($3::text)
      AND ($4::int = 1 OR conrelid <> confrelid)
    UNION ALL
    SELECT i.indrelid, i.indkey::int2[], false FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    WHERE x.relname = $1::text AND i.indrelid = to_regclass($2::text)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conindid = i.indexrelid)
  ) c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.relation AND a.attnum = ANY (c.numbers) ORDER BY a.attnum`;

/**
 * @returns `undefined` when it is a fault, and nobody's mistake
 * @throws StoreUnavailable when the catalogue cannot be read
 */
export async function explainFailure(
  database: Pick<Database, 'query'>,
  failed: FailedWrite,
  error: unknown,
): Promise<Refusal | undefined> {
  const known = readDriverError(error);
  if (known === undefined) return undefined;
  const { code } = known;
  const constraint = CONSTRAINTS[code];
  if (constraint !== undefined) return explainConstraint(database, failed, known, constraint);
  const { visibility } = failed.collection;
  if (code === '42501' || code === '44000')
    return visibility.kind === 'rls' ? { kind: 'refused', code: 'forbidden' } : undefined;
  if (code.startsWith('22')) return explainValue(database, failed);
  // A value for a column that Postgres alone gives values to.
  if (code === '428C9')
    return { kind: 'refused', code: 'invalid', detail: 'The database alone gives this record its key.' };
  // A trigger of the user's that refuses, by whatever code it likes, and a value that is too large for an index.
  if (isRaised(code) || code === '54000')
    return { kind: 'refused', code: 'invalid', detail: 'The database refused the record.' };
  return undefined;
}

/** Codes of PL/pgSQL's own, and those that nobody but a user's function raises: classes that Postgres leaves to them, and some it has. */
function isRaised(code: string): boolean {
  return /^(?:P0|45|[5-9I-Z][0-9A-Z]|0A|02)/.test(code) && !/^(?:5[3-8]|XX|HV)/.test(code);
}

/** Whether Postgres did not let the caller read: no right to the table, or a policy that could make nothing of their claims. */
export function isRefusedByPolicy({ kind }: Visibility, error: unknown): boolean {
  const code = sqlState(error);
  return kind === 'rls' && (code === '42501' || code.startsWith('22') || code === 'P0001');
}

/** Whether the error says that another record has this key already. */
export async function isKeyTaken(
  database: Pick<Database, 'query'>,
  failed: FailedWrite,
  error: unknown,
): Promise<boolean> {
  const known = readDriverError(error);
  if (known?.code !== '23505') return false;
  const columns = (await constraintColumns(database, failed, known)).map(({ name }) => name);
  const { key } = failed.collection;
  return columns.length === key.length && key.every(({ column }) => columns.includes(column));
}

async function explainConstraint(
  database: Pick<Database, 'query'>,
  failed: FailedWrite,
  error: DriverError,
  { code, message }: { readonly code: ProblemCode; readonly message: string },
): Promise<Refusal> {
  const columns =
    error.code === '23502'
      ? error.column === undefined
        ? []
        : [{ name: error.column, referenced: false }]
      : await constraintColumns(database, failed, error);
  const errors: readonly ProblemIssue[] = columns.flatMap(({ name, referenced }) => {
    const property = failed.collection.byColumn.get(name)?.property;
    return property === undefined
      ? []
      : [{ path: property, message: referenced ? 'other records refer to it' : message }];
  });
  return { kind: 'refused', code, ...(errors.length > 0 && { errors }) };
}

async function constraintColumns(database: Pick<Database, 'query'>, failed: FailedWrite, error: DriverError) {
  const { constraint, schema, table } = error;
  if (constraint === undefined || table === undefined) return [];
  const relation = schema === undefined ? quoteName(table) : `${quoteName(schema)}.${quoteName(table)}`;
  return database.query<{ readonly name: string; readonly referenced: boolean }>(COLUMNS, [
    constraint,
    relation,
    failed.collection.sqlName,
    failed.removing ? 1 : 0,
  ]);
}

/** A value that its type cannot hold: each column is tried by itself, since Postgres does not say which it was. */
async function explainValue(database: Pick<Database, 'query'>, failed: FailedWrite): Promise<Refusal> {
  const { collection, columns, values, key } = failed;
  for (const [at, { column }] of collection.key.entries()) {
    const part = key?.[at];
    const named = part === undefined ? '[]' : JSON.stringify([{ [column]: part }]);
    if (part !== undefined && !(await fits(database, collection, column, named)))
      return { kind: 'refused', code: 'not-found' };
  }
  for (const column of columns) {
    if (await fits(database, collection, column, values)) continue;
    const path = collection.byColumn.get(column)?.property ?? '';
    return { kind: 'refused', code: 'invalid', errors: [{ path, message: 'not a value of its type' }] };
  }
  // No column refuses it alone: a policy or a trigger could not make anything of the caller's claims, or of the values together.
  return collection.visibility.kind === 'rls'
    ? { kind: 'refused', code: 'forbidden' }
    : { kind: 'refused', code: 'invalid', detail: 'The database refused a value.' };
}

/** @param values JSON text of an array of objects that may have the column */
async function fits(
  database: Pick<Database, 'query'>,
  { sqlName }: Collection,
  column: string,
  values: string,
): Promise<boolean> {
  try {
    await database.query(
      `SELECT count(v.${quoteName(column)}) AS held FROM (
         SELECT jsonb_build_object($2::text, e -> $2::text) AS only FROM jsonb_array_elements($1::text::jsonb) e
       ) one, jsonb_populate_record(NULL::${sqlName}, one.only) v`,
      [values, column],
    );
    return true;
  } catch (error) {
    if (sqlState(error).startsWith('22')) return false;
    throw error;
  }
}
