/**
 * Idempotency of writes (protocol section 3): the key is claimed and the answer kept in the transaction of the write itself, so a
 * write is remembered exactly when it happened. What was refused is not remembered, and may be tried again.
 */
import { IDEMPOTENCY_MS } from '../protocol/limits.ts';
import type { Transaction } from '../store/postgres/database.ts';
import type { Idempotency } from '../store/store.ts';
import { refuse, type Written } from './outcome.ts';

// A claim waits for a transaction that holds the same key, and sees what became of it.
const CLAIM = `
  INSERT INTO sluice.writes AS w (scope, key, digest, body, time)
  SELECT $1::text, $2::text, $3::text, '', now.ms FROM (
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms
  ) now
  ON CONFLICT (scope, key) DO UPDATE
    SET digest = excluded.digest, body = '', time = excluded.time
    WHERE w.time <= excluded.time - ${IDEMPOTENCY_MS}
  RETURNING 1 AS claimed`;

const RECALL = 'SELECT digest, body FROM sluice.writes WHERE scope = $1::text AND key = $2::text';

const KEEP = 'UPDATE sluice.writes SET body = $3::text WHERE scope = $1::text AND key = $2::text';

/**
 * Claims a key for this transaction.
 *
 * @returns what the first write of this key became, or `undefined` when this is the first
 * @throws Refused `idempotency-mismatch` when the key was used for another write
 */
export async function claimWrite(
  transaction: Transaction,
  { scope, key, digest }: Idempotency,
): Promise<{ readonly written: Written; readonly view: string } | undefined> {
  const [claimed] = await transaction.query(CLAIM, [scope, key, digest]);
  if (claimed !== undefined) return undefined;
  const [row] = await transaction.query<{ readonly digest: string; readonly body: string }>(RECALL, [scope, key]);
  // Pruned between the two statements: only a key of yesterday is.
  if (row === undefined) throw refuse('unavailable');
  if (row.digest !== digest) throw refuse('idempotency-mismatch');
  const { view, ...written } = JSON.parse(row.body) as Written & { readonly view: string };
  return { written: { ...written, replayed: true }, view };
}

/** Keeps what became of the write, and what its caller sees (`fingerprint`). Asks for the rights of the server itself. */
export async function keepWrite(
  transaction: Transaction,
  { scope, key }: Idempotency,
  written: Written,
  view: string,
): Promise<void> {
  await transaction.query(KEEP, [scope, key, JSON.stringify({ ...written, view })]);
}
