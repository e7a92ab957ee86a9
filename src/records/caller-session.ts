/**
 * Settings of one transaction that reads or writes records: how values are written as text, who caused the change, and for
 * {@link rls} as whom Postgres shall see it. All end with the transaction, so a pooled connection carries nothing over.
 */
import type { Transaction } from '../store/postgres/database.ts';
import { Refused } from './outcome.ts';
import { type Caller, claimsThatCount, type Visibility } from './visibility.ts';

/** What a change is remembered by: who made it, and the idempotency key of the write. */
export interface ChangeOrigin {
  readonly actor?: string | undefined;
  readonly mutation?: string | undefined;
}

/** The same settings as those of the capture, so that a record reads the same here and in its events. */
const WIRE = `
  SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, MDY', true),
         set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),
         set_config('bytea_output', 'hex', true), set_config('sluice.actor', $1::text, true),
         set_config('sluice.mutation', $2::text, true)`;

const CALLER = `SELECT set_config('request.jwt.claims', $1::text, true), set_config('role', $2::text, true)`;

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
  try {
    await transaction.query(CALLER, [JSON.stringify(claimsThatCount(visibility, caller)), caller.role]);
  } catch (error) {
    const state = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
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
