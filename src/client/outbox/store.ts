/**
 * Where an outbox keeps its mutations.
 *
 * **Order.** Each mutation gets an `order` when it is added, greater than any that was ever given before, also to mutations that are gone.
 * **Atomicity.** `add` counts and adds in one step, and `update` reads, decides and writes in one step, also against other tabs: so a limit
 * holds for all of them together, and no two of them can both take the same mutation. A step that fails has changed nothing.
 * **Durability.** What has resolved survives a crash of the page or of the browser, as far as the kind of store can say so. A store in
 * memory cannot; it says by `shared` that nobody else sees it.
 * **Changes.** `changes` tells everything at first (`whole`), and from then on what changed since it was last called, whoever changed it,
 * in order. Several changes of one mutation may be told as one. Only about {@link LOG_LIMIT} changes are remembered: a tab that was
 * frozen for longer is told everything again, and what is not among it is gone.
 * **Limits.** The store has no bound of its own besides `add`'s, and the quota of the browser.
 */
import type { Mutation, MutationChange } from '../mutation.ts';

/** How many changes a store remembers for tabs that have not yet asked for them. */
export const LOG_LIMIT = 256;

/** Says what becomes of the mutations of one lane, given in order. Synchronous and pure: it may run inside a transaction. */
export type LaneChange = (mutations: readonly Mutation[]) => readonly MutationChange[];

export interface StoreChanges {
  /** Whether these are all mutations there are, and not only what changed. */
  readonly whole: boolean;
  readonly changes: readonly MutationChange[];
}

/** All methods reject with an `OutboxError` `quota` or `storage`, and with nothing else but what a `LaneChange` throws. */
export interface OutboxStore {
  /** Whether other tabs see the same mutations. */
  readonly shared: boolean;
  /** Adds a mutation after all others. Resolves to `false`, and adds nothing, where there are `limit` already, of whatever state. */
  add(mutation: Omit<Mutation, 'order'>, limit: number): Promise<boolean>;
  /** Applies what `change` makes of the mutations of a lane, and resolves to it. */
  update(lane: string, change: LaneChange): Promise<readonly MutationChange[]>;
  /** @see the paragraph above. Not to be called again before it has resolved. */
  changes(): Promise<StoreChanges>;
  /** Nothing is called after it. */
  close(): void;
}
