/** A collection as an application uses it: live queries, optimistic writes, and what outside caches need. */
import type { Mutation, Row, Write } from '../mutation.ts';
import { type Invalidation, listenToInvalidations } from './invalidations.ts';
import { createLiveQuery, type LiveQuery, type Mutations, type QueryContext } from './live-query.ts';

import { filtersOfKey, isTemporaryKey, keyOfRow } from './record-key.ts';
import type { FieldOrders } from './row-order.ts';

export interface CollectionOptions {
  /** The fields that name a record, in the order of the server's definition; `id` unless told. The server must let them be filtered by. */
  readonly key?: string | readonly string[] | undefined;
  /** The field that counts a record's changes; `version` unless told. */
  readonly version?: string | undefined;
  /** How the strings of fields are ordered, where that cannot be seen; see `row-order.ts`. */
  readonly fields?: FieldOrders | undefined;
}

export interface QueryOptions {
  /** `<field>=<op>.<value>` (protocol section 2.3), at most 16; all must hold. */
  readonly filter?: string | readonly string[] | undefined;
  /** `<field>.asc,<field>.desc`; by key unless told. */
  readonly order?: string | undefined;
  /** How many rows are shown, the first of the order; 10,000 unless told. */
  readonly limit?: number | undefined;
}

export interface WriteOptions {
  /**
   * The version that the change starts from; that which shows unless told. `false`: whatever there is, without a merge of `update`, and
   * without a condition for `replace` and `remove`.
   */
  readonly base?: number | false | undefined;
}

/** @typeParam Enqueued what the outbox says of a write: its `id`, and when it is stored and answered */
export interface Collection<Enqueued> {
  readonly name: string;
  /** A live query. Who asks for the same shares it; it runs while somebody subscribes, and a second longer. */
  query(options?: QueryOptions): LiveQuery;
  /** One record, as a live query of at most one row. */
  record(key: string): LiveQuery;
  /**
   * Creates a record. One without its key shows under a temporary one (`isTemporaryKey`) in its key's field until the server has answered,
   * and can be changed by nobody until then: better give records a key of your own.
   */
  create(record: Row): Enqueued;
  /** Changes fields of a record (RFC 7396). What others changed meanwhile is merged. @throws TypeError when the key is temporary */
  update(key: string, patch: Row, options?: WriteOptions): Enqueued;
  /** Puts a record in the place of another, if that is still the one that shows. @throws TypeError when the key is temporary */
  replace(key: string, record: Row, options?: WriteOptions): Enqueued;
  /** Deletes a record, whatever became of it; with `base`, only that version. @throws TypeError when the key is temporary */
  remove(key: string, options?: WriteOptions): Enqueued;
  /** The writes of a record that no server's stream has shown yet, or that were refused, as the queries that run know them. */
  pendingOf(key: string): readonly Mutation[];
  /** The key of a record of this collection; `undefined` when it lacks a field of it. */
  keyOf(row: Row): string | undefined;
  /** Tells what outside caches should read again, once a turn. @returns ends it */
  onInvalidate(listener: (records: readonly Invalidation[]) => void): () => void;
}

export interface Outbox<Enqueued> extends Mutations {
  /** Told to those who listen before it returns. */
  enqueue(write: Write): Enqueued;
}

export interface CollectionContext<Enqueued> extends Omit<QueryContext, 'mutations'> {
  readonly outbox: Outbox<Enqueued>;
}

/** Rows of a query that does not say how many. */
const DEFAULT_LIMIT = 10_000;
/** Queries that nobody has subscribed to yet are forgotten when there are more. */
const MAX_IDLE = 100;

/** @param name the collection's, which is its topic's as well */
export function openCollection<Enqueued>(
  name: string,
  options: CollectionOptions,
  context: CollectionContext<Enqueued>,
): Collection<Enqueued> {
  const { version = 'version', fields } = options;
  const key = [options.key ?? 'id'].flat();
  const { outbox } = context;
  const queries = new Map<string, LiveQuery>();

  function share(filters: readonly string[], order: string | undefined, limit: number, only?: string): LiveQuery {
    const id = JSON.stringify([filters.toSorted(), order, limit, only]);
    const known = queries.get(id);
    if (known !== undefined) return known;
    const plan = { collection: name, filters, order, limit, key, version, fields, only };
    const query = createLiveQuery(plan, { ...context, mutations: outbox }, () => {
      if (queries.get(id) === query) queries.delete(id);
    });
    for (const [other, { isRunning }] of queries) if (queries.size >= MAX_IDLE && !isRunning) queries.delete(other);
    queries.set(id, query);
    return query;
  }

  /** The lowest: what is merged too often does no harm. */
  function shownVersion(record: string): number | undefined {
    const versions = [...queries.values()].flatMap((query) => query.versionOf(record) ?? []);
    return versions.sort((a, b) => a - b)[0];
  }

  function baseOf(record: string, base: number | false | undefined): number | undefined {
    if (isTemporaryKey(record)) throw new TypeError('The record has no key yet');
    return base === false ? undefined : (base ?? shownVersion(record));
  }

  function pendingOf(record: string): readonly Mutation[] {
    const known = [...queries.values()].map((query) => query.pendingOf(record));
    return known.find(({ length }) => length > 0) ?? [];
  }

  return {
    name,
    query: ({ filter = [], order, limit = DEFAULT_LIMIT } = {}) => share([filter].flat(), order, limit),
    record: (record) => share(filtersOfKey(record, key), undefined, 1, record),
    create: (record) => outbox.enqueue({ kind: 'create', collection: name, key: keyOfRow(record, key), record }),
    update: (record, patch, { base } = {}) =>
      outbox.enqueue({ kind: 'patch', collection: name, key: record, patch, base: baseOf(record, base) }),
    replace(at, record, { base } = {}) {
      const shown = baseOf(at, base);
      // Own writes that wait before this one will have made another version of it.
      const isOwn =
        base === undefined && pendingOf(at).some(({ state }) => state === 'pending' || state === 'in-flight');
      return outbox.enqueue({
        kind: 'replace',
        collection: name,
        key: at,
        record,
        version: isOwn ? undefined : shown,
      });
    },
    remove: (record, { base = false } = {}) =>
      outbox.enqueue({ kind: 'delete', collection: name, key: record, version: baseOf(record, base) }),
    pendingOf,
    keyOf: (row) => keyOfRow(row, key),
    onInvalidate: (listener) => listenToInvalidations(name, context, listener),
  };
}
