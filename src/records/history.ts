/** A version of a record, as its collection's log tells it: what a three-way merge starts from (protocol section 6). */
import type { Transaction } from '../store/postgres/database.ts';
import type { Collection } from './collection.ts';
import { changesOf, readBounds, rowBefore } from './past-changes.ts';
import { parseRecord } from './sees-record.ts';
import type { WireRecord } from './wire-types.ts';

/**
 * The record as it was at a version. An event tells the row before it as well, so the version before the first event is known too.
 *
 * @param transaction one in which the log holds every change that it sees (see `Relay.drained`)
 * @param key as its events have it
 * @returns `undefined` when the log does not tell, or no longer does
 */
export async function recordAtVersion(
  transaction: Transaction,
  collection: Collection,
  key: string,
  version: number,
): Promise<WireRecord | undefined> {
  const bounds = await readBounds(transaction, collection);
  const kept = { from: bounds.oldest, to: bounds.latest + 1 };
  for await (const change of changesOf(transaction, bounds, key, kept, 'newest')) {
    if (change.version === String(version) && change.after !== undefined) return parseRecord(change.after);
    const before = rowBefore(collection, change);
    if (before?.version === String(version)) return parseRecord(before.record);
  }
  return undefined;
}
