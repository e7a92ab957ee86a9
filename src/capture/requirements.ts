/** What a table must have before it can be captured. Nothing of it is ever added silently: it belongs to whoever owns the table. */
import { type Finding, fault, warning } from './finding.ts';
import type { TableFacts } from './table-facts.ts';
import { quoteIdentifier } from './table-name.ts';

const KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  i: 'an index',
  I: 'an index',
  c: 'a composite type',
  t: 'a TOAST table',
};

/**
 * Everything that a table lacks.
 * @param key the columns that shall tell its rows from one another; `undefined` where none could be chosen
 */
export function unmetRequirements(table: TableFacts, key: readonly string[] | undefined): readonly Finding[] {
  const unfit = unfitness(table);
  if (unfit.length > 0) return unfit;
  return [...ownership(table), ...placement(table), ...version(table), ...keys(table, key), ...rowSecurity(table)];
}

/** Where this is not empty, nothing else is worth saying. */
function unfitness(table: TableFacts): readonly Finding[] {
  const { sql, kind, persistence } = table;
  if (table.system) return [fault('not-capturable', `${sql} belongs to Postgres itself.`, 'Capture a table of yours.')];
  if (table.schema === 'sluice')
    return [fault('not-capturable', `${sql} belongs to Sluice itself.`, 'Capture a table of yours.')];
  if (kind !== 'r' && kind !== 'p') {
    const what = KINDS[kind] ?? 'not a table';
    return [
      fault('not-capturable', `${sql} is ${what}, whose changes no trigger sees.`, 'Capture the tables beneath it.'),
    ];
  }
  if (persistence === 't')
    return [fault('not-capturable', `${sql} is temporary: only its session sees it.`, 'Capture a permanent table.')];
  const unlogged = [table, ...table.partitions].filter((relation) => relation.persistence === 'u');
  return unlogged.map((relation) =>
    fault(
      'not-capturable',
      `${relation.sql} is unlogged: a crash of the database empties it, and no trigger would tell.`,
      `ALTER TABLE ${relation.sql} SET LOGGED;`,
    ),
  );
}

function ownership({ sql, owned, owner }: TableFacts): readonly Finding[] {
  if (owned) return [];
  return [
    fault(
      'not-owner',
      `${sql} belongs to ${quoteIdentifier(owner)}, and only a table's owner can put triggers on it and take them off.`,
      `Run this as ${quoteIdentifier(owner)}, or GRANT ${quoteIdentifier(owner)} TO the role that Sluice connects as.`,
    ),
  ];
}

function placement({ sql, heirs, capturedAbove, capturedBelow }: TableFacts): readonly Finding[] {
  return [
    ...heirs.map((heir) =>
      fault(
        'inheritance',
        `${heir} inherits from ${sql}: its rows appear in ${sql}, but no trigger of ${sql} sees them.`,
        `ALTER TABLE ${heir} NO INHERIT ${sql};`,
      ),
    ),
    ...capturedAbove.map((above) =>
      fault('captured-twice', `${sql} is a partition of ${above}, which is captured.`, `Use the capture of ${above}.`),
    ),
    ...capturedBelow.map((below) =>
      fault(
        'captured-twice',
        `${below} is a partition of ${sql}, and captured by itself.`,
        `sluice capture remove '${below}'`,
      ),
    ),
  ];
}

function version({ sql, columns }: TableFacts): readonly Finding[] {
  const column = columns.find(({ name }) => name === 'version');
  if (column === undefined)
    return [
      fault(
        'version',
        `${sql} has no column "version", which counts the changes of a row.`,
        `ALTER TABLE ${sql} ADD COLUMN version integer NOT NULL DEFAULT 1;`,
      ),
    ];
  const found: Finding[] = [];
  if (column.generated)
    return [
      fault(
        'version',
        `The column "version" of ${sql} is generated, so that a trigger cannot count with it.`,
        `ALTER TABLE ${sql} ALTER COLUMN version DROP EXPRESSION, ALTER COLUMN version SET DEFAULT 1;`,
      ),
    ];
  if (column.type !== 'integer' && column.type !== 'bigint')
    found.push(
      fault(
        'version',
        `The column "version" of ${sql} is of type ${column.type}, not integer or bigint.`,
        `ALTER TABLE ${sql} RENAME COLUMN version TO its_version; ` +
          `ALTER TABLE ${sql} ADD COLUMN version integer NOT NULL DEFAULT 1;`,
      ),
    );
  else if (!column.notNull)
    found.push(
      fault(
        'version',
        `The column "version" of ${sql} may be null.`,
        `UPDATE ${sql} SET version = 1 WHERE version IS NULL; ALTER TABLE ${sql} ALTER COLUMN version SET NOT NULL;`,
      ),
    );
  if (!column.hasDefault)
    found.push(
      fault(
        'version',
        `The column "version" of ${sql} has no default: who inserts a row without naming it would fail.`,
        `ALTER TABLE ${sql} ALTER COLUMN version SET DEFAULT 1;`,
      ),
    );
  return found;
}

function keys(table: TableFacts, key: readonly string[] | undefined): readonly Finding[] {
  const { sql, columns } = table;
  if (key === undefined || key.length === 0)
    return [
      fault(
        'key',
        `${sql} has no primary key, and no other key was named.`,
        `ALTER TABLE ${sql} ADD PRIMARY KEY (…); or name the columns of a unique index as the key.`,
      ),
    ];
  const missing = key.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0)
    return [
      fault(
        'key',
        `The key of ${sql} names ${missing.map(quoteIdentifier).join(', ')}, and there is no such column.`,
        `sluice capture add '${sql}'${table.primaryKey === undefined ? ' --key …' : ''}`,
      ),
    ];
  const nullable = key.filter((name) => columns.some((column) => column.name === name && !column.notNull));
  const found = nullable.map((name) =>
    fault(
      'key',
      `The key of ${sql} has the column ${quoteIdentifier(name)}, which may be null.`,
      `ALTER TABLE ${sql} ALTER COLUMN ${quoteIdentifier(name)} SET NOT NULL;`,
    ),
  );
  if (!table.uniqueKeys.some((unique) => unique.every((name) => key.includes(name))))
    found.push(
      fault(
        'key',
        `Nothing keeps two rows of ${sql} from having the same ${key.map(quoteIdentifier).join(', ')}.`,
        `CREATE UNIQUE INDEX ON ${sql} (${key.map(quoteIdentifier).join(', ')});`,
      ),
    );
  return found;
}

function rowSecurity({ sql, forcedRowSecurity }: TableFacts): readonly Finding[] {
  if (!forcedRowSecurity) return [];
  return [
    warning(
      'forced-row-security',
      `Row security is forced on ${sql}, so that its capture may not read all rows: TRUNCATE will be refused.`,
      `ALTER TABLE ${sql} NO FORCE ROW LEVEL SECURITY; or ALTER ROLE … BYPASSRLS; for the role that owns the schema sluice.`,
    ),
  ];
}
