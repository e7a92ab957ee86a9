/** Asking whether a capture is whole. */
import type { Database, Transaction } from '../store/postgres/database.ts';
import { type Capture, readCapture, readCaptures } from './captures.ts';
import { type Finding, fault } from './finding.ts';
import { unmetRequirements } from './requirements.ts';
import { resolveTable } from './resolve-table.ts';
import { readTable, type TableFacts } from './table-facts.ts';
import { lateTriggers, triggerMistakes } from './triggers.ts';

export interface VerifiedCapture {
  /** As it was asked for, or as the catalog writes it. */
  readonly table: string;
  readonly capture: Capture | undefined;
  /** Whether every change of the table is captured: there is no finding, or only warnings. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Looks whether a table is captured as it should be: all triggers there, switched on and the right ones, on every partition too;
 * the column `version` as it must be; the columns of the key still there and still unique. Changes nothing.
 *
 * What no look at a table can tell: whether somebody writes with `session_replication_role = replica`. Such a session fires
 * no trigger, and its changes are not captured.
 *
 * @param table a name as in SQL
 * @throws StoreUnavailable when the database cannot be reached
 */
export function verifyCapture(database: Pick<Database, 'transaction'>, table: string): Promise<VerifiedCapture> {
  return database.transaction(
    async (transaction) => {
      const resolved = await resolveTable(transaction, table);
      if (!resolved.ok) return verdict(table, undefined, [resolved.finding]);
      const facts = resolved.table;
      return verifyTable(facts, await readCapture(transaction, facts.oid));
    },
    { isolation: 'repeatable read' },
  );
}

/** The same for everything that is captured. @throws StoreUnavailable when the database cannot be reached */
export function verifyCaptures(database: Pick<Database, 'transaction'>): Promise<readonly VerifiedCapture[]> {
  return database.transaction(
    async (transaction) => {
      const verified: VerifiedCapture[] = [];
      for (const capture of await readCaptures(transaction)) verified.push(await verifyListed(transaction, capture));
      return verified;
    },
    { isolation: 'repeatable read' },
  );
}

async function verifyListed(transaction: Transaction, capture: Capture): Promise<VerifiedCapture> {
  const facts = await readTable(transaction, capture.oid);
  if (facts !== undefined) return verifyTable(facts, capture);
  return verdict(`(dropped, capture ${capture.id})`, capture, [
    fault('dropped', `The table of capture ${capture.id} was dropped.`, `sluice capture remove ${capture.id}`),
  ]);
}

function verifyTable(facts: TableFacts, capture: Capture | undefined): VerifiedCapture {
  const { sql, capturedAbove } = facts;
  if (capture !== undefined)
    return verdict(sql, capture, [
      ...unmetRequirements(facts, capture.key),
      ...triggerMistakes(facts, capture.id).map(({ finding }) => finding),
      ...lateTriggers(facts),
    ]);
  const [above] = capturedAbove;
  const remedy = above === undefined ? `sluice capture add '${sql}'` : `sluice capture verify '${above}'`;
  const message =
    above === undefined
      ? `${sql} is not captured.`
      : `${sql} is not captured by itself: it is a partition of ${above}.`;
  return verdict(sql, undefined, [fault('not-captured', message, remedy)]);
}

function verdict(table: string, capture: Capture | undefined, findings: readonly Finding[]): VerifiedCapture {
  return { table, capture, ok: findings.every(({ severity }) => severity !== 'fault'), findings };
}
