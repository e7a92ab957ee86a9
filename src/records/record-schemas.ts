/**
 * The zod schemas of a collection's records in wire form, made from drizzle's own (drizzle-zod) where JSON carries a type as
 * drizzle reads it, and from `field-schemas.ts` where it does not.
 *
 * All are strict: a member that the table does not have is refused, so that a typing mistake is not silently dropped.
 */
import type { PgTable } from 'drizzle-orm/pg-core';
import { createInsertSchema, createSelectSchema, createUpdateSchema } from 'drizzle-zod';
import { z } from 'zod';
import type { CollectionColumn } from './columns.ts';
import { inputField, outputField } from './field-schemas.ts';
import type { InsertOf, PatchOf, RecordOf, ReplaceOf } from './wire-types.ts';

export interface RecordSchemas<Table extends PgTable = PgTable> {
  /** A record as it is read. */
  readonly record: z.ZodType<RecordOf<Table>>;
  /** What creates a record: what has a default or may be null can be left out. */
  readonly insert: z.ZodType<InsertOf<Table>>;
  /** What takes a record's place (PUT): as `insert`, but the key can be left out too. */
  readonly replace: z.ZodType<ReplaceOf<Table>>;
  /** A merge patch (RFC 7396) without the key. A null means null; an object for a json column is a merge patch of its own. */
  readonly patch: z.ZodType<PatchOf<Table>>;
}

/**
 * Makes the schemas. What they let through is normalised to the wire form: digits are strings where the wire says so, and
 * numbers that the parser kept as text (see `protocol/json.ts`) are numbers again where no digit counts.
 *
 * Neither generated columns nor the version can be written, and a patch cannot name the key.
 */
export function recordSchemas<Table extends PgTable>(
  table: Table,
  columns: readonly CollectionColumn[],
  key: readonly CollectionColumn[],
): RecordSchemas<Table> {
  const output = refinements(columns, outputField);
  const input = refinements(columns, inputField);
  const version = new Set(columns.filter(({ column }) => column === 'version').map(({ property }) => property));
  const named = new Set(key.map(({ property }) => property));
  const insert = reshape(createInsertSchema(table as PgTable, input), (property, field) =>
    version.has(property) ? undefined : field,
  );
  const patch = reshape(createUpdateSchema(table as PgTable, input), (property, field) =>
    version.has(property) || named.has(property) ? undefined : field,
  );
  const replace = reshape(insert, (property, field) => (named.has(property) ? z.optional(field) : field));
  return {
    record: createSelectSchema(table as PgTable, output).strict() as unknown as z.ZodType<RecordOf<Table>>,
    insert: insert.strict() as unknown as z.ZodType<InsertOf<Table>>,
    replace: replace.strict() as unknown as z.ZodType<ReplaceOf<Table>>,
    patch: patch.strict() as unknown as z.ZodType<PatchOf<Table>>,
  };
}

/** drizzle-zod adds null and absence itself, but only to what a function gives. */
function refinements(
  columns: readonly CollectionColumn[],
  field: (column: CollectionColumn, made: z.ZodType) => z.ZodType,
): Record<string, never> {
  const made = columns.map((column) => [column.property, (schema: z.ZodType) => field(column, schema)] as const);
  // The property names of a table that is not known here do not satisfy drizzle-zod's types.
  return Object.fromEntries(made) as unknown as Record<string, never>;
}

/** Takes each field as it is answered; without those for which the answer is `undefined`. */
function reshape(
  schema: z.ZodObject,
  change: (property: string, field: z.core.$ZodType) => z.core.$ZodType | undefined,
): z.ZodObject {
  const shape = Object.entries(schema.shape).flatMap(([property, field]) => {
    const changed = change(property, field);
    return changed === undefined ? [] : [[property, changed] as const];
  });
  return z.object(Object.fromEntries(shape));
}
