/**
 * Where an outbox keeps its mutations: a list of what became of each, the last change of each, in the order of the changes.
 *
 * **Order.** The key of an entry is its `seq`. Every change gets one greater than all before it, whoever makes it: who knows everything up
 * to a `seq` asks for what came after.
 * **Atomicity.** A step reads, decides and writes at once, also against other tabs: so a limit holds for all of them together, and no two
 * of them can both take the same mutation. A step that fails has changed nothing.
 * **Durability.** What has resolved survives a crash of the page or of the browser, as far as the kind of store can say so. A store in
 * memory cannot; it says by `shared` that nobody else sees it.
 * **Limits.** The store has no bound of its own besides the quota of the browser: see `ledger.ts`.
 */
import type { Mutation } from '../mutation.ts';

/** A mutation as it is kept; one that is `gone` for a while, so that every tab hears how it ended. */
export interface Kept extends Mutation {
  /** The version of the record that it starts from: what the write says, or what one before it has made since. */
  readonly base?: number | undefined;
  /** The place of its last change among all changes: when that was, in ms since 1970, or a little more. */
  readonly seq: number;
}

/** Writes within a step. What is put has no `seq` that is there already. */
export interface Writer {
  put(kept: Kept): unknown;
  delete(seq: number): unknown;
}

export interface OutboxStore {
  /** Whether other tabs see the same mutations. */
  readonly shared: boolean;
  /**
   * One step. Resolves once what `step` has written is kept.
   * @param step given what came after `after`, by `seq`; synchronous, and not to throw. @throws OutboxError `quota` or `storage`
   */
  transact(after: number, step: (news: readonly Kept[], writer: Writer) => void): Promise<void>;
  /** Nothing is called after it. */
  close(): void;
}
