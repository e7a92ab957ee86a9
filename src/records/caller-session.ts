/**
 * Settings of one transaction that reads or writes records: how values are written as text, who caused the change, and for
 * {@link rls} as whom Postgres shall see it. All end with the transaction, so a pooled connection carries nothing over.
 */
import type { Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { Refused } from './outcome.ts';
import { type Caller, claimsThatCount, type Visibility } from './visibility.ts';

/** What a change is remembered by: who made it, and the idempotency key of the write. */
export interface ChangeOrigin {
  readonly actor?: string | undefined;
  readonly mutation?: string | undefined;
}

/**
 * The same settings as those of the capture, so that a record reads the same here and in its events; and how long a statement may take, in
 * ms: whoever asks waits no longer, and it would keep the connection.
 */
const WIRE_FORM = `
  set_config('statement_timeout', '5000', true),
  set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, MDY', true),
  set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),
  set_config('bytea_output', 'hex', true)`;

const WIRE = `
  SELECT ${WIRE_FORM}, set_config('sluice.actor', $1::text, true), set_config('sluice.mutation', $2::text, true)`;

// `none` would be the server's own role, which is no caller's either: an empty name is refused as every unknown one is.
const AS_CALLER = `
  set_config('request.jwt.claims', $1::text, true),
  set_config('role', CASE WHEN $2::text IN ('none', session_user) THEN '' ELSE $2::text END, true)`;
const CALLER = `SELECT ${AS_CALLER}`;

/** What a view needs to know and to set before it reads, in one go: it does so for every stretch of the log. */
const BEGIN_VIEW = `
  SELECT (SELECT latest FROM sluice.topics WHERE name = $3::text) AS latest,
         EXISTS (SELECT FROM sluice.changes WHERE capture = ANY ($4::int[])) AS pending,
         ${WIRE_FORM}, ${AS_CALLER}`;

export async function setWireForm(transaction: Transaction, { actor, mutation }: ChangeOrigin = {}): Promise<void> {
  await transaction.query(WIRE, [actor ?? '', mutation ?? '']);
}

/**
 * Goes on as the caller, where Postgres decides what they may. What needs the rights of the server itself comes before this, or
 * after {@link leaveCaller}.
 *
 * @throws Refused `forbidden` when there is no such role, or the server may not take it on
 */
export async function becomeCaller(transaction: Transaction, visibility: Visibility, caller: Caller): Promise<void> {
  if (visibility.kind !== 'rls') return;
  await orForbidden(transaction.query(CALLER, [JSON.stringify(claimsThatCount(visibility, caller)), caller.role]));
}

/**
 * Goes on as the caller of `rls()`, with rows in wire form.
 *
 * @returns the newest seq of the topic's log, and whether a change of the captures waits to come into it, before anything is read
 * @throws Refused as {@link becomeCaller} does
 */
export async function beginView(
  transaction: Transaction,
  visibility: Visibility,
  caller: Caller,
  { topic, captures }: { readonly topic: string; readonly captures: readonly number[] },
): Promise<{ readonly latest: number; readonly pending: boolean }> {
  const claims = JSON.stringify(claimsThatCount(visibility, caller));
  const [row] = await orForbidden(
    transaction.query<{ readonly latest: number | null; readonly pending: boolean }>(BEGIN_VIEW, [
      claims,
      caller.role,
      topic,
      captures,
    ]),
  );
  return { latest: row?.latest ?? 0, pending: row?.pending ?? true };
}

/** What a statement that takes on a role answers; where it cannot be taken on, the caller is refused. @throws Refused `forbidden` */
async function orForbidden<Answer>(statement: Promise<Answer>): Promise<Answer> {
  try {
    return await statement;
  } catch (error) {
    const state = sqlState(error);
    // 22023: no such role; 42501: not ours to take on; 22P05 and 22021: claims that Postgres cannot hold.
    if (state === '22023' || state === '42501' || state === '22P05' || state === '22021')
      throw new Refused({ kind: 'refused', code: 'forbidden' });
    throw error;
  }
}

/** Takes on the server's own rights again. What is deferred is checked first, still as the caller. */
export async function leaveCaller(transaction: Transaction, visibility: Visibility): Promise<void> {
  if (visibility.kind !== 'rls') return;
  await transaction.query('SET CONSTRAINTS ALL IMMEDIATE');
  await transaction.query(`SELECT set_config('role', 'none', true)`);
}
