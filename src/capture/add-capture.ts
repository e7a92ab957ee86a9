/** Beginning to capture a table. */
import type { Database, Transaction } from '../store/postgres/database.ts';
import { type Capture, readCapture } from './captures.ts';
import { type Finding, fault } from './finding.ts';
import { unmetRequirements } from './requirements.ts';
import { resolveTable } from './resolve-table.ts';
import { changeTables, runAll } from './table-change.ts';
import type { TableFacts } from './table-facts.ts';
import { quoteIdentifier } from './table-name.ts';
import { lateTriggers, triggerMistakes } from './triggers.ts';

export interface AddCaptureOptions {
  /**
   * The columns that tell one row from another, of a unique index. Unless told, what an earlier capture of the table was told, and
   * otherwise its primary key.
   */
  readonly key?: readonly string[] | undefined;
}

export type AddCaptureResult =
  | {
      readonly ok: true;
      readonly capture: Capture & { readonly table: string };
      /** Whether anything had to be done: `false` when all was in place. */
      readonly changed: boolean;
      /** What does not prevent the capture, but should be known. */
      readonly warnings: readonly Finding[];
    }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/**
 * Captures every change of a table from now on, whoever makes it: writes a row to `sluice.captures`, and puts triggers on the table
 * and its partitions. All in one transaction, which waits for the writers of the table that are under way, for 3 s at most.
 *
 * May be repeated at any time: it then mends what is missing (after a partition was attached, a column renamed, a trigger switched
 * off), keeps the capture's id, and touches nothing when all is in place. Rows that are there already are not written anywhere:
 * who wants them reads the table. A column is never added: what the table lacks is told, with the statement to run.
 *
 * @param table a name as in SQL: `orders`, `shop.orders`, `"Odd name"`
 * @throws StoreUnavailable when the database cannot be reached
 */
export function addCapture(
  database: Pick<Database, 'transaction'>,
  table: string,
  options: AddCaptureOptions = {},
): Promise<AddCaptureResult> {
  return changeTables(database, async (transaction): Promise<AddCaptureResult> => {
    const resolved = await resolveTable(transaction, table);
    if (!resolved.ok) return { ok: false, findings: [resolved.finding] };
    const facts = resolved.table;
    const before = await readCapture(transaction, facts.oid);
    const key = chooseKey(facts, options.key, before?.key);
    const unmet = [...unmetRequirements(facts, key), ...lateTriggers(facts)];
    if (unmet.some(({ severity }) => severity === 'fault') || key === undefined) return { ok: false, findings: unmet };

    const id = await writeCapture(transaction, facts, key, before);
    const mistakes = triggerMistakes(facts, id);
    const statements = mistakes.flatMap((mistake) => mistake.statements);
    if (statements.length > 0) {
      const refused = await grantToOwner(transaction, facts);
      if (refused !== undefined) return { ok: false, findings: [refused] };
      await runAll(transaction, statements);
      // The table is locked by now, so nobody has written since who will not be told of.
      if (mistakes.some(({ isHole }) => isHole))
        await transaction.query('UPDATE sluice.captures SET since = clock_timestamp() WHERE id = $1', [id]);
    }
    return {
      ok: true,
      capture: { id, oid: facts.oid, table: facts.sql, key },
      changed: statements.length > 0 || before?.key.join('\0') !== key.join('\0'),
      warnings: unmet,
    };
  });
}

function chooseKey(
  { columns, primaryKey }: TableFacts,
  told: readonly string[] | undefined,
  before: readonly string[] | undefined,
): readonly string[] | undefined {
  if (told !== undefined) return told;
  const holds = before?.every((name) => columns.some((column) => column.name === name)) ?? false;
  return holds ? before : (primaryKey ?? before);
}

async function writeCapture(
  transaction: Transaction,
  { oid }: TableFacts,
  key: readonly string[],
  before: Capture | undefined,
): Promise<number> {
  if (before !== undefined) {
    if (before.key.join('\0') !== key.join('\0'))
      await transaction.query('UPDATE sluice.captures SET key = $2::text[] WHERE id = $1', [before.id, key]);
    return before.id;
  }
  const [row] = await transaction.query<{ readonly id: number }>(
    'INSERT INTO sluice.captures (relation, key) VALUES ($1::int8::oid::regclass, $2::text[]) RETURNING id',
    [oid, key],
  );
  if (row === undefined) throw new Error('sluice.captures took no row');
  return row.id;
}

/** A new partition gets the triggers in the name of whoever makes it, and that is the table's owner. */
async function grantToOwner(transaction: Transaction, { owner }: TableFacts): Promise<Finding | undefined> {
  const functions = 'sluice.next_version(), sluice.capture_row(), sluice.capture_truncate()';
  const to = quoteIdentifier(owner);
  const [rights] = await transaction.query<{
    readonly mine: boolean;
    readonly theirs: boolean;
    readonly grants: boolean;
  }>(
    `SELECT bool_and(has_function_privilege(p, 'EXECUTE')) AS mine, bool_and(has_function_privilege($1, p, 'EXECUTE')) AS theirs,
       bool_and(has_function_privilege(p, 'EXECUTE WITH GRANT OPTION')) AS grants
     FROM unnest(ARRAY['sluice.next_version()', 'sluice.capture_row()', 'sluice.capture_truncate()']::regprocedure[]::oid[]) p`,
    [owner],
  );
  if (rights?.grants && !rights.theirs) await transaction.query(`GRANT EXECUTE ON FUNCTION ${functions} TO ${to}`);
  if (rights?.mine) return undefined;
  return fault(
    'not-owner',
    'The functions of the capture belong to another role, and this one may not make triggers of them.',
    `GRANT EXECUTE ON FUNCTION ${functions} TO CURRENT_USER; as the role that owns the schema sluice.`,
  );
}
