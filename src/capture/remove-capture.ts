/** Ending the capture of a table. */
import type { Database, Transaction } from '../store/postgres/database.ts';
import { type Capture, readCapture, readCaptures } from './captures.ts';
import { type Finding, fault } from './finding.ts';
import { resolveTable } from './resolve-table.ts';
import { changeTables, runAll } from './table-change.ts';
import type { TableFacts } from './table-facts.ts';
import { quoteIdentifier } from './table-name.ts';
import { dropTriggers } from './triggers.ts';

export type RemoveCaptureResult =
  | {
      readonly ok: true;
      /** What was removed; `undefined` when the table was not captured and only triggers were left over, or nothing. */
      readonly capture: Capture | undefined;
    }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/**
 * Takes the triggers off a table and forgets its capture, in one transaction. The column `version` stays as it is. Changes that
 * were captured but not yet moved into the log are discarded. Removing what is not captured does nothing.
 *
 * @param table a name as in SQL; or, for a table that was dropped, the id of its capture
 * @throws StoreUnavailable when the database cannot be reached
 */
export function removeCapture(database: Pick<Database, 'transaction'>, table: string): Promise<RemoveCaptureResult> {
  return changeTables(database, async (transaction): Promise<RemoveCaptureResult> => {
    if (/^\s*[0-9]{1,10}\s*$/.test(table)) return removeDropped(transaction, Number(table));
    const resolved = await resolveTable(transaction, table);
    if (!resolved.ok) return { ok: false, findings: [resolved.finding] };
    return removeFrom(transaction, resolved.table);
  });
}

async function removeFrom(transaction: Transaction, facts: TableFacts): Promise<RemoveCaptureResult> {
  const capture = await readCapture(transaction, facts.oid);
  // A partition has its triggers from the table above, and they are not its own to remove.
  if (capture === undefined && facts.capturedAbove.length > 0) return { ok: true, capture: undefined };
  const statements = dropTriggers(facts);
  if (statements.length > 0 && !facts.owned) {
    const owner = quoteIdentifier(facts.owner);
    const message = `${facts.sql} belongs to ${owner}, and only a table's owner can take triggers off it.`;
    return { ok: false, findings: [fault('not-owner', message, statements.map((one) => `${one};`).join(' '))] };
  }
  await runAll(transaction, statements);
  if (capture !== undefined) await transaction.query('DELETE FROM sluice.captures WHERE id = $1', [capture.id]);
  return { ok: true, capture };
}

async function removeDropped(transaction: Transaction, id: number): Promise<RemoveCaptureResult> {
  const capture = (await readCaptures(transaction)).find((one) => one.id === id);
  if (capture === undefined)
    return { ok: false, findings: [fault('not-captured', `There is no capture ${id}.`, 'sluice capture list')] };
  if (capture.table !== undefined) {
    const resolved = await resolveTable(transaction, capture.table);
    return resolved.ok ? removeFrom(transaction, resolved.table) : { ok: false, findings: [resolved.finding] };
  }
  await transaction.query('DELETE FROM sluice.captures WHERE id = $1', [id]);
  return { ok: true, capture };
}
