/** A collection as its streams need it. */
import type { Transaction } from '../store/postgres/database.ts';
import type { Collection } from './collection.ts';
import type { TableFacts } from './table-facts.ts';

export interface StreamedCollection {
  readonly collection: Collection;
  readonly facts: TableFacts;
  /** Runs work in a snapshot in which nothing of the collection, or of what it depends on, is on its way to the log. */
  readonly drained: <Result>(work: (transaction: Transaction) => Promise<Result>) => Promise<Result>;
  /**
   * The captures (`sluice.captures.id`) of the collection's table and of those that it depends on.
   * @throws StoreUnavailable while one of them is missing
   */
  readonly captures: () => readonly number[];
}
