/**
 * Records: the rows of collections as a client reads and writes them (protocol section 6). The database decides what can be
 * stored; this decides who may ask for what, and turns what the database says into outcomes.
 *
 * **Atomicity.** Each write is one transaction: its rows, its idempotency record, and (through the table's triggers) the changes
 * that become events. Several records that are sent together are all created, or none.
 * **Visibility.** With `rls()` every statement runs as the caller's role. With `scope()` a record that the caller does not see is
 * as good as absent, and none can be written to where they would not see it.
 * **Snapshot.** A list and its cursor are of one moment: reading the collection's stream from the cursor on misses nothing and
 * repeats nothing.
 * **Limits.** A write has at most 1,000 records; a page at most 1,000, and about 4 MiB. Where `scope()` lets few rows through, a
 * page looks at about 10,000 rows and then answers what it has, and where to go on.
 */

import type { Preconditions } from '../protocol/preconditions.ts';
import type { Database, Transaction } from '../store/postgres/database.ts';
import type { Idempotency } from '../store/store.ts';
import type { Collection } from './collection.ts';
import { createListing, type ListQuery } from './list-records.ts';
import type { Conflict, Found, Listed, Recounted, Refusal, Unchanged, Written } from './outcome.ts';
import { createPageTokens } from './page-token.ts';
import { createPast } from './read-past.ts';
import { readRecord } from './read-record.ts';
import { createTableCatalog, type TableCatalog } from './table-catalog.ts';
import type { Caller } from './visibility.ts';
import type { WireRecord } from './wire-types.ts';
import { createWriting } from './write-records.ts';

/** What a collection is to those who ask whether somebody may use it. */
export interface CollectionInfo {
  readonly name: string;
  readonly readOnly: boolean;
  /** Postgres's policies decide who may do what; otherwise the grants for the topic of this name do. */
  readonly decidedByPostgres: boolean;
}

/** A record that is named by its key. Its key is the text of the URL, percent-decoded once. */
export interface RecordRequest {
  readonly caller: Caller;
  readonly key: string;
  readonly preconditions: Preconditions;
}

/** A record as it was. */
export interface PastRequest extends RecordRequest {
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Versions of a record. */
export interface HistoryRequest extends Omit<RecordRequest, 'preconditions'> {
  /** 1 to 100. */
  readonly limit: number;
  /** The `next` of the page before, or the id of a version: what is older follows. */
  readonly before?: string | undefined;
}

export interface WriteRequest {
  readonly caller: Caller;
  /** The `mutation` of the events that the write causes. */
  readonly mutation?: string | undefined;
  /** Answers a repeated write as the first one was answered. */
  readonly idempotency?: Idempotency | undefined;
}

export interface CreateRequest extends WriteRequest {
  /** One record, or an array of them: any JSON value. */
  readonly value: unknown;
}

export interface RemoveRequest extends WriteRequest, RecordRequest {}

export interface ReplaceRequest extends RemoveRequest {
  /** Any JSON value. */
  readonly value: unknown;
}

export interface PatchRequest extends ReplaceRequest {
  /** The version that the client started from: asks for a three-way merge. */
  readonly baseVersion?: number | undefined;
}

/** What is done with records. Every method but `find` needs the name of a collection that there is. */
export interface Records {
  find(name: string): CollectionInfo | undefined;
  /** @throws StoreUnavailable, as every method does when the database is away */
  list(name: string, caller: Caller, query: ListQuery): Promise<Listed | Refusal>;
  read(name: string, request: RecordRequest): Promise<Found | Unchanged | Refusal>;
  /**
   * The record as it was at a time, as far as the log tells. Where Postgres decides who sees what, it is for the caller of this to
   * let only those ask who may see everything; the same holds of `history`.
   */
  readAt(name: string, request: PastRequest): Promise<Found | Unchanged | Refusal>;
  history(name: string, request: HistoryRequest): Promise<Recounted | Refusal>;
  create(name: string, request: CreateRequest): Promise<Written | Refusal>;
  /** Puts a record in the place of another, or creates it. Fields that are not given take their defaults. */
  replace(name: string, request: ReplaceRequest): Promise<Written | Refusal>;
  /** Changes some fields (RFC 7396). */
  patch(name: string, request: PatchRequest): Promise<Written | Refusal | Conflict>;
  remove(name: string, request: RemoveRequest): Promise<Written | Refusal>;
}

/** A record as it was at a version; `undefined` when it is no longer known. Whether the caller may know it is for whoever asks to judge. */
export type VersionAt = (collection: Collection, key: string, version: number) => Promise<WireRecord | undefined>;

export interface RecordsOptions {
  readonly database: Database;
  readonly collections: readonly Collection[];
  /** The epoch of a topic's log, of its incarnation. */
  readonly epochOf: (topic: string, incarnation: number) => string;
  /**
   * Runs work in a repeatable-read transaction whose snapshot has all visible changes of the collection in the log already.
   * @throws StoreUnavailable when they cannot be moved there in time
   */
  readonly drained: <Result>(
    work: (transaction: Transaction) => Promise<Result>,
    collection: string,
  ) => Promise<Result>;
  /** Called after each write that may have changed something: there may be something to move into the log. */
  readonly kick: () => void;
  /** 32 random bytes, the same on every node: they seal the tokens of pages. */
  readonly secret: () => Promise<Uint8Array>;
  /** What is known of tables. Read from the database, and kept as long as this, unless told. */
  readonly catalog?: TableCatalog;
  /** Without it, a `Base-Version` other than the current one is answered as a conflict without a base. */
  readonly versionAt?: VersionAt;
}

/**
 * Makes the service.
 *
 * @throws TypeError when two collections have one name
 */
export function createRecords(options: RecordsOptions): Records {
  const { database, collections } = options;
  const byName = new Map(collections.map((collection) => [collection.name, collection]));
  if (byName.size < collections.length) throw new TypeError('two collections have one name');
  const { catalog = createTableCatalog(database) } = options;
  const list = createListing({ ...options, catalog, tokens: createPageTokens(options.secret) });
  const writing = createWriting({ ...options, catalog });
  const past = createPast({ ...options, catalog });
  const of = (name: string): Collection => {
    const collection = byName.get(name);
    if (collection === undefined) throw new TypeError('no such collection');
    return collection;
  };
  return {
    find(name) {
      const collection = byName.get(name);
      if (collection === undefined) return undefined;
      return { name, readOnly: collection.readOnly, decidedByPostgres: collection.visibility.kind === 'rls' };
    },
    list: (name, caller, query) => list(of(name), caller, query),
    read: (name, request) => readRecord({ database, catalog }, of(name), request),
    readAt: (name, request) => past.at(of(name), request),
    history: (name, request) => past.history(of(name), request),
    create: (name, request) => writing.create(of(name), request),
    replace: (name, request) => writing.replace(of(name), request),
    patch: (name, request) => writing.patch(of(name), request),
    remove: (name, request) => writing.remove(of(name), request),
  };
}
