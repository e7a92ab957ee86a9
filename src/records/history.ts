/** The past of a record, as its collection's log tells it (protocol section 6). */
import { decodeEventBody } from '../protocol/event.ts';
import type { Transaction } from '../store/postgres/database.ts';
import type { Collection } from './collection.ts';
import { splitObject } from './row-text.ts';
import { parseRecord } from './sees-record.ts';
import type { WireRecord } from './wire-types.ts';

/** Batches looked at in one statement. */
const PAGE = 100;

// The key stands in a body as JSON text, so a batch without that text has no event of the record.
const NEWEST_FIRST = `
  SELECT b.last, b.bodies FROM sluice.batches b JOIN sluice.topics t ON t.id = b.topic_id
  WHERE t.name = $1 AND b.last < $2::bigint AND b.last >= t.oldest AND strpos(b.bodies, $3) > 0
  ORDER BY b.last DESC LIMIT ${PAGE}`;

/**
 * The record as it was at a version.
 *
 * @param transaction one in which the log holds every change that it sees (see `Relay.drained`)
 * @returns `undefined` when the log does not tell, or no longer does
 */
export async function recordAtVersion(
  transaction: Transaction,
  { name }: Collection,
  key: string,
  version: number,
): Promise<WireRecord | undefined> {
  const needle = `"key":${JSON.stringify(key)}`;
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const rows = await transaction.query<{ readonly last: number; readonly bodies: string }>(NEWEST_FIRST, [
      name,
      before,
      needle,
    ]);
    for (const { bodies } of rows) {
      for (const body of bodies.split('\n').reverse()) {
        if (!body.includes(needle)) continue;
        const { key: its, data } = decodeEventBody(body);
        if (its !== key || (data as { readonly version?: unknown }).version !== version) continue;
        const row = splitObject(splitObject(`{${body}`).get('data') ?? '{}').get('new');
        if (row !== undefined) return parseRecord(row);
      }
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return undefined;
    before = last.last;
  }
}
