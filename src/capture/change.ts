/** A change as its trigger recorded it in the outbox (`sluice.changes`), and where changes of a table go. */
import type { EventBody } from '../protocol/event.ts';

/** One row that was inserted (`I`), updated (`U`) or deleted (`D`). */
export interface Change {
  /**
   * Its place in the outbox: grows with the changes of one transaction as they are noted, and from one transaction to the next with
   * those of one row.
   */
  readonly id: number;
  /** The id of the transaction that made it, as Postgres counts it (xid8), in digits. */
  readonly transaction: string;
  /** The captured table: `sluice.captures.id`. */
  readonly capture: number;
  readonly operation: 'I' | 'U' | 'D';
  /**
   * The whole row before and after, as the JSON text that Postgres writes of it: `old` is null for an insert, `new` for a delete.
   * Never parsed on the way, so that no digit is lost. A row that is too large has only its key, its `version`, and `"$large": true`.
   */
  readonly old: string | null;
  readonly new: string | null;
  /** Who made it, and by which write, where the writer said so. */
  readonly actor: string | null;
  readonly mutation: string | null;
}

/** Where the changes of one captured table go. */
export interface RelayTarget {
  readonly topic: string;
  /** What a change is in the log: none, one or several events. Must be pure, because a move that failed is done again. */
  toBodies(change: Change): readonly EventBody[];
  /**
   * The key of a row's image. Where it is given, the changes of one row in one transaction come as one: what the transaction did to it
   * in all. (Of a transaction that is moved in several pieces, in each piece.)
   */
  keyOf?(image: string): string;
}

/** The targets that a node knows, by `sluice.captures.id`: one, or several that each get every change. */
export type RelayTargets = ReadonlyMap<number, RelayTarget | readonly RelayTarget[]>;
