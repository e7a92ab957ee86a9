/** What Postgres's errors say, whichever driver hands them on: postgres.js and PGlite name the same things differently. */

/** An error that Postgres answered with (PostgreSQL, appendix A). */
export interface DriverError {
  /** Five characters; the first two are the class. */
  readonly code: string;
  readonly constraint: string | undefined;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
}

/** @returns `undefined` for what did not come from Postgres */
export function readDriverError(error: unknown): DriverError | undefined {
  const code = sqlState(error);
  if (code === '' || typeof error !== 'object' || error === null) return undefined;
  const text = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const value: unknown = Reflect.get(error, name);
      if (typeof value === 'string' && value !== '') return value;
    }
    return undefined;
  };
  return {
    code,
    constraint: text('constraint_name', 'constraint'),
    schema: text('schema_name', 'schema'),
    table: text('table_name', 'table'),
    column: text('column_name', 'column'),
  };
}

/** The SQLSTATE of an error that Postgres answered with; empty for any other error. */
export function sqlState(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string') return '';
  // A socket's EPIPE looks like one.
  return /^(?!EPIPE)[0-9A-Z]{5}$/.test(error.code) ? error.code : '';
}
