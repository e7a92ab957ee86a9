/** Changing tables that are in use: in one transaction, and without making their users wait behind us. */
import type { Database, Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { type Finding, fault } from './finding.ts';

/**
 * Milliseconds to wait for a table that others hold. Everybody who comes after us waits as long as we do, so it is short; and below
 * what a statement may take at all.
 */
const LOCK_MS = 3000;

/** SQLSTATEs: lock_not_available, deadlock_detected. */
const BUSY = ['55P03', '40P01'];

/** Found on the way: ends the transaction with a rollback. */
class Hindrance extends Error {
  override readonly name = 'Hindrance';
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

/**
 * Runs `work` in one transaction. When a table stays locked, nothing is changed and the finding says so.
 * @throws StoreUnavailable, and what `work` throws
 */
export async function changeTables<Result>(
  database: Pick<Database, 'transaction'>,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result | { readonly ok: false; readonly findings: readonly Finding[] }> {
  try {
    return await database.transaction(async (transaction) => {
      await transaction.query(`SET LOCAL lock_timeout = ${LOCK_MS}`);
      // One change of captures at a time: two that add the same table would make the same triggers.
      await guarded(() => transaction.query('LOCK TABLE sluice.captures IN SHARE ROW EXCLUSIVE MODE'));
      return await guarded(() => work(transaction));
    });
  } catch (error) {
    if (error instanceof Hindrance) return { ok: false, findings: [error.finding] };
    throw error;
  }
}

/** Runs statements one after another. */
export async function runAll(transaction: Transaction, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await transaction.query(statement);
}

async function guarded<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!BUSY.includes(sqlState(error))) throw error;
    throw new Hindrance(
      fault(
        'busy',
        `Another transaction holds the table for longer than ${LOCK_MS / 1000} s; nothing was changed.`,
        'Try again. Long transactions: SELECT pid, query FROM pg_stat_activity ORDER BY xact_start;',
      ),
    );
  }
}
