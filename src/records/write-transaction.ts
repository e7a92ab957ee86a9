/** The transaction of a write: settings, idempotency, the caller's role, and what a failure means. */

import type { Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { StoreUnavailable } from '../store/store.ts';
import { becomeCaller, leaveCaller, setWireForm } from './caller-session.ts';
import type { Collection } from './collection.ts';
import { explainFailure, type FailedWrite, isKeyTaken } from './database-refusal.ts';
import { type Conflict, type Refusal, Refused, refuse, type Written } from './outcome.ts';
import { parseKey } from './record-key.ts';
import type { RecordsOptions, WriteRequest } from './records.ts';
import { claimWrite, keepWrite } from './remembered-write.ts';
import { recordFilter } from './sees-record.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { TableFacts } from './table-facts.ts';
import { type Caller, fingerprint } from './visibility.ts';
import { readVisibleRows } from './visible-rows.ts';

export interface WriteParts extends Pick<RecordsOptions, 'database' | 'kick' | 'versionAt'> {
  readonly catalog: TableCatalog;
}

/** What is to be done, and what to tell when the database refuses it. */
export interface WriteWork extends Pick<FailedWrite, 'removing' | 'values' | 'columns' | 'key'> {
  /** Runs as the caller. May be run again, in a transaction of its own each time. @throws Refused, which rolls it back */
  readonly run: (transaction: Transaction, facts: TableFacts) => Promise<Written>;
  /** Whether to try again when another record got the same key meanwhile: it will then be found. */
  readonly retryOnKey?: boolean;
}

/** How often a write is tried that collides with others. */
const ATTEMPTS = 4;

/**
 * Writes.
 *
 * @throws StoreUnavailable when the database is away, or the write collides with others again and again
 * @throws what `run` throws, unless it is a refusal
 */
export async function writeRecords(
  { database, kick, catalog }: WriteParts,
  collection: Collection,
  { caller, mutation, idempotency }: WriteRequest,
  { run, retryOnKey = false, ...failed }: WriteWork,
): Promise<Written | Refusal | Conflict> {
  const facts = await catalog.of(collection);
  const { visibility } = collection;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const written = await database.transaction(async (transaction) => {
        await setWireForm(transaction, { actor: caller.sub, mutation });
        const earlier = idempotency && (await claimWrite(transaction, idempotency));
        if (earlier !== undefined) return await answerAgain(transaction, { collection, facts }, caller, earlier);
        await becomeCaller(transaction, visibility, caller);
        const done = await run(transaction, facts);
        if (idempotency !== undefined) {
          await leaveCaller(transaction, visibility);
          await keepWrite(transaction, idempotency, done, fingerprint(visibility, caller));
        }
        return done;
      });
      // A write that is repeated may be one of which nobody was told the first time.
      kick();
      return written;
    } catch (error) {
      if (error instanceof Refused) return error.outcome;
      if (attempt < ATTEMPTS && isCollision(error)) continue;
      const failure = { collection, ...failed };
      if (attempt < ATTEMPTS && retryOnKey && (await isKeyTaken(database, failure, error))) continue;
      const refusal = await explainFailure(database, failure, error);
      if (refusal !== undefined) return refusal;
      if (sqlState(error) !== '') catalog.forget(collection);
      throw error;
    }
  }
}

/**
 * What was answered once is answered again: but none of the records that are still there to one who may not see them any more.
 * @throws Refused `not-found`; `forbidden` as {@link becomeCaller} does
 */
async function answerAgain(
  transaction: Transaction,
  { collection, facts }: { readonly collection: Collection; readonly facts: TableFacts },
  caller: Caller,
  { written: earlier, view }: { readonly written: Written; readonly view: string },
): Promise<Written> {
  const { visibility } = collection;
  const { records } = earlier;
  // Of another token of the same subject, which may see other rows, the answer is not.
  if (view !== fingerprint(visibility, caller)) throw refuse('not-found');
  const sees = recordFilter(visibility, caller);
  if (!records.every(({ record }) => sees(record))) throw refuse('not-found');
  if (visibility.kind !== 'rls') return earlier;
  const keys = records.flatMap(({ key }) => [parseKey(collection, key) ?? []]);
  const count = async () =>
    (await readVisibleRows(transaction, { collection, facts }, { keys, limit: keys.length })).length;
  const there = await count();
  await becomeCaller(transaction, visibility, caller);
  if ((await count()) < there) throw refuse('not-found');
  return earlier;
}

/** A serialisation failure or a deadlock: nobody's mistake, and the next attempt may well succeed. */
function isCollision(error: unknown): boolean {
  const code = sqlState(error instanceof StoreUnavailable ? error.cause : error);
  return code === '40001' || code === '40P01';
}
