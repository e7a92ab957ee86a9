/**
 * The lease that makes one relay among many the active one: the single row of `sluice.relay`.
 *
 * Whoever finds it expired takes it under the next epoch. Holding it by one's own clock proves nothing, since a process may stand still at
 * any moment: so each move checks holder and epoch in its own transaction and locks the row until its commit. A relay that was
 * replaced meanwhile finds another epoch, and moves nothing.
 */
import type { Database, Transaction } from '../store/postgres/database.ts';

/** How long a lease lasts, and the age at which it is renewed, in ms. */
const LEASE_MS = 3000;
export const RENEW_MS = 1000;

const UNTIL = `clock_timestamp() + interval '${LEASE_MS} milliseconds'`;

// Skips the row while somebody works under it: a move may take longer than a lease lasts.
const TAKE = `
  UPDATE sluice.relay SET holder = $1, epoch = epoch + 1, until = ${UNTIL}, asleep = false
  WHERE id = (SELECT id FROM sluice.relay WHERE until < clock_timestamp() FOR UPDATE SKIP LOCKED)
  RETURNING epoch`;

const MINE = 'epoch = $1 AND holder = $2';

// The row is locked and not written, because the triggers of all writers read it, and versions of it would pile up. A holder that falls
// silent inside of its transaction loses it as it loses the lease.
const HOLD = `
  SELECT until < ${UNTIL} - interval '${RENEW_MS} milliseconds' AS due,
         set_config('idle_in_transaction_session_timeout', '${LEASE_MS}', true) AS patience
  FROM sluice.relay WHERE ${MINE} FOR UPDATE`;

const RENEW = `UPDATE sluice.relay SET until = ${UNTIL}, asleep = $3::text::boolean WHERE ${MINE} RETURNING epoch`;

const GIVE_UP = `UPDATE sluice.relay SET holder = NULL, until = '-infinity', asleep = true WHERE ${MINE}`;

export class RelayLease {
  readonly #database: Database;
  readonly #holder: string;
  #epoch: number | undefined;
  #asleep = false;

  /** @param holder names this relay alone, among all that there ever are */
  constructor(database: Database, holder: string) {
    this.#database = database;
    this.#holder = holder;
  }

  /** Whether this relay held the lease when it last looked. */
  get held(): boolean {
    return this.#epoch !== undefined;
  }

  /** Whether writers were told that the relay sleeps, so that they hint. */
  get asleep(): boolean {
    return this.#asleep;
  }

  /** Takes the lease if it is free. @returns whether it is held now; @throws StoreUnavailable */
  async take(): Promise<boolean> {
    const [row] = await this.#database.query<{ readonly epoch: number }>(TAKE, [this.#holder]);
    this.#epoch = row?.epoch;
    this.#asleep = false;
    return this.held;
  }

  /**
   * Makes sure inside of a transaction that the lease is still held, and keeps it so until the transaction ends.
   * Renews it when it is due, and tells writers that the relay is awake.
   * @returns whether the lease is held; if not, the transaction must move nothing
   */
  async hold(transaction: Transaction): Promise<boolean> {
    const [row] = await transaction.query<{ readonly due: boolean }>(HOLD, [this.#epoch ?? -1, this.#holder]);
    if (row === undefined) this.#epoch = undefined;
    else if (row.due || this.#asleep) await this.renew(false, transaction);
    return this.held;
  }

  /**
   * Renews the lease, and tells writers whether the relay sleeps.
   * @param by the transaction that it is done in, if it is
   * @returns whether the lease is still held; @throws StoreUnavailable
   */
  async renew(asleep: boolean, by: Transaction = this.#database): Promise<boolean> {
    if (this.#epoch === undefined) return false;
    const rows = await by.query(RENEW, [this.#epoch, this.#holder, String(asleep)]);
    if (rows.length === 0) this.#epoch = undefined;
    this.#asleep = asleep;
    return this.held;
  }

  /** A transaction failed, and whatever it told writers may be undone: they are told again. */
  doubt(): void {
    this.#asleep = true;
  }

  /** Lets the lease go, so that another relay takes it at once. @throws StoreUnavailable */
  async giveUp(): Promise<void> {
    const epoch = this.#epoch;
    this.#epoch = undefined;
    if (epoch !== undefined) await this.#database.query(GIVE_UP, [epoch, this.#holder]);
  }
}
