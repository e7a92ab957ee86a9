/**
 * The collections of a node, put together: records to read and write, the relay that moves their changes into the log, and the
 * streams that read them there.
 */
import type { Principal } from '../auth/principal.ts';
import type { LocalBroker } from '../broker/local-broker.ts';
import type { RelayTarget } from '../capture/change.ts';
import { listCaptures } from '../capture/list-captures.ts';
import { createRelay, type Relay } from '../capture/relay.ts';
import { dependenciesOf, wantedCaptures } from '../records/capture-targets.ts';
import { checkDefinitions } from '../records/check-definition.ts';
import type { Collection } from '../records/collection.ts';
import { guardScope } from '../records/guard-scope.ts';
import { recordAtVersion } from '../records/history.ts';
import { installRowSecurity } from '../records/install-row-security.ts';
import { RecordStreams } from '../records/record-streams.ts';
import { createRecords, type Records } from '../records/records.ts';
import { readTableFacts } from '../records/table-facts.ts';
import { fingerprint } from '../records/visibility.ts';
import type { Database, Transaction } from '../store/postgres/database.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import { callerOf } from './caller.ts';
import type { Log } from './log.ts';

export interface LiveCollectionsOptions {
  readonly store: PostgresStore;
  readonly collections: readonly Collection[];
  readonly broker: LocalBroker;
  readonly node: string;
  readonly log: Log;
  /** Has `hint` called when a writer anywhere says that it wrote. */
  readonly listen?: ((hint: () => void) => () => void) | undefined;
  readonly onFault: (error: unknown) => void;
}

/** What an app gives to its collections. */
export type CollectionParts = Pick<LiveCollectionsOptions, 'broker' | 'node' | 'log' | 'onFault'> & {
  readonly store: Store;
};

/** Opens the collections of an app: what `createRealtime` takes. */
export type OpenCollections = (parts: CollectionParts) => LiveCollections;

/**
 * Makes tables live resources of an app.
 *
 * @returns what `createRealtime` takes as `collections`. It throws `TypeError` unless the store is in Postgres or PGlite
 * @example
 * createRealtime({ store, collections: liveCollections([orders, customers]) })
 */
export function liveCollections(
  collections: readonly Collection[],
  { listen }: Pick<LiveCollectionsOptions, 'listen'> = {},
): OpenCollections {
  return ({ store, ...parts }) => {
    if (!isPostgresStore(store)) throw new TypeError('collections need a store in Postgres or PGlite');
    return new LiveCollections({ ...parts, store, collections, listen });
  };
}

function isPostgresStore(store: Store): store is PostgresStore {
  return 'database' in store && 'epochOf' in store;
}

/** A table of a collection is not captured, so its changes would not be seen. */
export class NotCaptured extends Error {
  override readonly name = 'NotCaptured';
  readonly code = 'not-captured';
}

/** What policies rely on is missing. */
export class RowSecurityLacks extends Error {
  override readonly name = 'RowSecurityLacks';
  readonly code = 'row-security-lacks';
}

export class LiveCollections {
  readonly records: Records;
  readonly #options: LiveCollectionsOptions;
  readonly #relay: Relay;
  #targets: ReadonlyMap<number, readonly RelayTarget[]> = new Map();
  /** The captures that each collection's streams rest on: its own, and those of the tables it depends on. */
  #captures: ReadonlyMap<string, readonly number[]> = new Map();
  #streams: RecordStreams | undefined;

  constructor(options: LiveCollectionsOptions) {
    const { store, node, log, broker, listen, onFault } = options;
    const collections = options.collections.map((collection) => guardScope(collection, onFault));
    this.#options = { ...options, collections };
    this.#relay = createRelay({
      store,
      targets: () => this.#targets,
      node,
      log,
      onMoved: (topic, batch) => broker.moved(topic, batch),
      listen,
    });
    this.records = createRecords({
      database: store.database,
      collections,
      epochOf: (topic, incarnation) => store.epochOf(topic, incarnation),
      drained: (work, name) => this.#drained(name, work),
      kick: () => this.#relay.kick(),
      secret: () => store.secret('record-pages'),
      versionAt: (collection, key, version) =>
        this.#drained(collection.name, (transaction) => recordAtVersion(transaction, collection, key, version)),
    });
  }

  /** The streams. @throws StoreUnavailable before they have begun */
  get streams(): RecordStreams {
    if (this.#streams === undefined) throw new StoreUnavailable('the collections have not begun yet');
    return this.#streams;
  }

  /**
   * Compares the definitions with the database, and begins to move changes.
   * @throws StoreUnavailable; DefinitionMismatch, NotCaptured, RowSecurityLacks when the database is not as it must be
   */
  async start(): Promise<void> {
    const { store, collections, broker, onFault } = this.#options;
    if (collections.some(({ visibility }) => visibility.kind === 'rls')) await requireRowSecurity(store.database);
    await checkDefinitions(store.database, collections);
    await this.#findCaptures();
    const streamed = await Promise.all(
      collections.map(async (collection) => {
        const facts = await readTableFacts(store.database, collection.sqlName);
        if (facts === undefined) throw new Error(`the table of ${collection.name} is gone`);
        const { name } = collection;
        const drained = <Result>(work: (transaction: Transaction) => Promise<Result>) => this.#drained(name, work);
        const captures = this.#captures.get(name) ?? [];
        return [name, { collection, facts, drained, captures }] as const;
      }),
    );
    this.#streams = new RecordStreams({
      broker,
      store,
      collections: new Map(streamed),
      now: () => performance.now(),
      onFault,
    });
    this.#relay.start();
  }

  /** Whether the topic is a collection. */
  has(topic: string): boolean {
    return this.records.find(topic) !== undefined;
  }

  /** Whether Postgres decides who may read the topic, and no grant is needed. */
  isDecidedByPostgres(topic: string): boolean {
    return this.records.find(topic)?.decidedByPostgres === true;
  }

  /** Whether one sees other rows of the topic than the other. */
  seesOtherwise(topic: string, one: Principal, other: Principal): boolean {
    const collection = this.#options.collections.find(({ name }) => name === topic);
    if (collection === undefined) return false;
    return fingerprint(collection.visibility, callerOf(one)) !== fingerprint(collection.visibility, callerOf(other));
  }

  async close(): Promise<void> {
    await this.#streams?.close();
    await this.#relay.close();
  }

  async #findCaptures(): Promise<void> {
    const { store, collections } = this.#options;
    const { database } = store;
    const captures = await listCaptures(database);
    const oids = new Map<string, number>();
    const idOf = async (table: string): Promise<number> => {
      let oid = oids.get(table);
      if (oid === undefined) {
        const [row] = await database.query<{ readonly oid: number | null }>(
          'SELECT to_regclass($1)::oid::int8 AS oid',
          [table],
        );
        oid = row?.oid ?? 0;
        oids.set(table, oid);
      }
      const capture = captures.find((each) => each.oid === oid);
      if (capture === undefined)
        throw new NotCaptured(`The table ${table} is not captured. Run: sluice capture add '${table}'`);
      return capture.id;
    };
    const targets = new Map<number, RelayTarget[]>();
    for (const { table, target } of wantedCaptures(collections)) {
      const id = await idOf(table);
      targets.set(id, [...(targets.get(id) ?? []), target]);
    }
    const rests = new Map<string, readonly number[]>();
    for (const collection of collections)
      rests.set(collection.name, await Promise.all([collection.sqlName, ...dependenciesOf(collection)].map(idOf)));
    this.#targets = targets;
    this.#captures = rests;
  }

  #drained<Result>(name: string, work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const captures = this.#captures.get(name);
    if (captures === undefined) throw new StoreUnavailable('the collections have not begun yet');
    return this.#relay.drained(captures, work);
  }
}

/** @throws RowSecurityLacks with what is to be run, where the server may not run it itself */
async function requireRowSecurity(database: Database): Promise<void> {
  const installed = await installRowSecurity(database);
  if (installed.ok) return;
  throw new RowSecurityLacks(`rls() needs roles and functions that this server may not create. Run:
${installed.statements.map((statement) => `${statement};`).join('\n')}`);
}
