/**
 * The port of collections: what an app does with tables that are live resources, wherever their changes are moved and their streams are
 * read.
 */
import type { Principal } from '../auth/principal.ts';
import type { Collection } from '../records/collection.ts';
import type { RecordStreams } from '../records/record-streams.ts';
import type { Records } from '../records/records.ts';
import { fingerprint } from '../records/visibility.ts';
import { callerOf } from './caller.ts';

export abstract class ServedCollections {
  readonly #byName: ReadonlyMap<string, Collection>;

  constructor(collections: readonly Collection[]) {
    this.#byName = new Map(collections.map((collection) => [collection.name, collection]));
  }

  abstract readonly records: Records;

  /** The streams. @throws StoreUnavailable before they have begun */
  abstract readonly streams: Pick<RecordStreams, 'misfit' | 'subscribe'>;

  /** Begins. @throws StoreUnavailable; another error when the database is not as it must be */
  abstract start(): Promise<void>;

  abstract close(): Promise<void>;

  /** Whether the topic is a collection. */
  has(topic: string): boolean {
    return this.#byName.has(topic);
  }

  /** Whether Postgres decides who may read the topic, and no grant is needed. */
  isDecidedByPostgres(topic: string): boolean {
    return this.#byName.get(topic)?.visibility.kind === 'rls';
  }

  /** Whether one sees other rows of the topic than the other. */
  seesOtherwise(topic: string, one: Principal, other: Principal): boolean {
    const visibility = this.#byName.get(topic)?.visibility;
    if (visibility === undefined) return false;
    return fingerprint(visibility, callerOf(one)) !== fingerprint(visibility, callerOf(other));
  }
}
