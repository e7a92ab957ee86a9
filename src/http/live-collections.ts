/**
 * The collections of a node, put together: records to read and write, the relay that moves their changes into the log, and the
 * streams that read them there.
 */
import type { Broker } from '../broker/broker.ts';
import { LocalBroker } from '../broker/local-broker.ts';
import { createRelay, type Relay } from '../capture/relay.ts';
import type { Defines } from '../protocol/definition.ts';
import { compareDefinition, DefinitionMismatch } from '../records/check-definition.ts';
import type { Collection } from '../records/collection.ts';
import { guardScope } from '../records/guard-scope.ts';
import { recordAtVersion } from '../records/history.ts';
import { installRowSecurity } from '../records/install-row-security.ts';
import { RecordStreams } from '../records/record-streams.ts';
import { createRecords, type Records } from '../records/records.ts';
import type { StreamedCollection } from '../records/streamed-collection.ts';
import type { InsertOf, PatchOf, RecordOf, ReplaceOf } from '../records/wire-types.ts';
import type { Database, Transaction } from '../store/postgres/database.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import { CollectionCaptures } from './collection-captures.ts';
import type { Log } from './log.ts';
import { ServedCollections } from './served-collections.ts';

export interface LiveCollectionsOptions {
  readonly store: PostgresStore;
  readonly collections: readonly Collection[];
  readonly broker: LocalBroker;
  readonly node: string;
  readonly log: Log;
  /** Has `hint` called when a writer anywhere says that it wrote. */
  readonly listen?: ((hint: () => void) => () => void) | undefined;
  readonly onFault: (error: unknown) => void;
  /** Ends the streams of a collection that cannot be served for now. */
  readonly endStreams: (collection: string) => void;
  /** See `RelayOptions`. */
  readonly onRest?: (() => void) | undefined;
  readonly busyMs?: number | undefined;
}

/** What an app gives to its collections. */
export type CollectionParts = Pick<LiveCollectionsOptions, 'node' | 'log' | 'onFault' | 'endStreams'> & {
  readonly store: Store;
  readonly broker: Broker;
};

/** Opens the collections of an app: what `createRealtime` takes. */
export type OpenCollections = (parts: CollectionParts) => ServedCollections;

/**
 * Makes tables live resources of an app.
 *
 * @returns what `createRealtime` takes as `collections`. It throws `TypeError` unless the store is in Postgres or PGlite, and the broker in this
 *   process
 * @example
 * createRealtime({ store, collections: liveCollections([orders, customers]) })
 */
export function liveCollections<const Collections extends readonly Collection[]>(
  collections: Collections,
  { listen }: Pick<LiveCollectionsOptions, 'listen'> = {},
): OpenCollections & Defines<{ readonly collections: TypesOf<Collections[number]> }> {
  return ({ store, broker, ...parts }) => {
    if (!isPostgresStore(store)) throw new TypeError('collections need a store in Postgres or PGlite');
    if (!(broker instanceof LocalBroker)) throw new TypeError('collections need the broker of this process');
    return new LiveCollections({ ...parts, store, broker, collections, listen });
  };
}

/** The types of collections by their names. */
export type TypesOf<Known extends Collection> = {
  readonly [Each in Known as Each['name']]: Each extends Collection<infer Table>
    ? {
        readonly record: RecordOf<Table>;
        readonly insert: InsertOf<Table>;
        readonly replace: ReplaceOf<Table>;
        readonly patch: PatchOf<Table>;
      }
    : never;
};

function isPostgresStore(store: Store): store is PostgresStore {
  return 'database' in store && 'epochOf' in store;
}

/** How often a node looks whether the tables of its collections are still captured, in ms. */
const WATCH_MS = 3000;

/** Tables of collections are not captured, so their changes would not be seen. */
export class NotCaptured extends Error {
  override readonly name = 'NotCaptured';
  readonly code = 'not-captured';
  /** As SQL writes them. */
  readonly tables: readonly string[];

  constructor(tables: readonly string[]) {
    super(tables.map((table) => `The table ${table} is not captured. Run: sluice capture add '${table}'`).join('\n'));
    this.tables = tables;
  }
}

/** What policies rely on is missing. */
export class RowSecurityLacks extends Error {
  override readonly name = 'RowSecurityLacks';
  readonly code = 'row-security-lacks';
}

export class LiveCollections extends ServedCollections {
  readonly records: Records;
  readonly #options: LiveCollectionsOptions;
  readonly #relay: Relay;
  readonly #captures: CollectionCaptures;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #streams: RecordStreams | undefined;
  /** What can be streamed: collections that are defined as their tables are. */
  readonly #streamed = new Map<string, StreamedCollection>();
  /** What was said of those that are not. */
  #said = '';
  /** Whether changes are to be moved, and whether they are. */
  #isWanted = false;
  #isMoving = false;
  #settling: Promise<void> = Promise.resolve();

  constructor(options: LiveCollectionsOptions) {
    super(options.collections);
    const { store, node, log, broker, listen, onRest, busyMs, onFault } = options;
    const collections = options.collections.map((collection) => guardScope(collection, onFault));
    this.#options = { ...options, collections };
    this.#captures = new CollectionCaptures(collections);
    this.#relay = createRelay({
      store,
      targets: () => this.#captures.targets,
      node,
      log,
      onMoved: (topic, batch) => broker.moved(topic, batch),
      listen,
      onRest,
      busyMs,
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
    await this.open();
    await this.wake();
  }

  /**
   * The first half of {@link start}: streams can be opened, and nothing is moved for them yet.
   * @param leavesOut whether collections that are not as they must be are left out, and said so in the log, until they are
   * @throws as that does
   */
  async open({ leavesOut = false } = {}): Promise<void> {
    const { store, collections, broker, onFault } = this.#options;
    if (collections.some(({ visibility }) => visibility.kind === 'rls')) await requireRowSecurity(store.database);
    const mismatches = await this.#takeIn();
    if (!leavesOut && mismatches.length > 0) throw new DefinitionMismatch(mismatches);
    const { missing } = await this.#captures.find(store.database);
    if (!leavesOut && missing.length > 0) throw new NotCaptured(missing);
    this.#say(mismatches, missing);
    const now = () => performance.now();
    this.#streams = new RecordStreams({ broker, store, collections: this.#streamed, now, onFault });
  }

  /** Whether a collection is as it must be, as far as was looked. */
  isServed(name: string): boolean {
    return this.#streamed.has(name) && this.#captures.of(name) !== undefined;
  }

  /** Takes in the collections that are defined as their tables are. @returns how the others are not */
  async #takeIn(): Promise<readonly string[]> {
    const { store, collections } = this.#options;
    const mismatches: string[] = [];
    for (const collection of collections) {
      const { name } = collection;
      if (this.#streamed.has(name)) continue;
      const checked = await compareDefinition(store.database, collection);
      if (checked.ok) {
        const { facts } = checked;
        const drained = <Result>(work: (transaction: Transaction) => Promise<Result>) => this.#drained(name, work);
        this.#streamed.set(name, { collection, facts, drained, captures: () => this.#capturesOf(name) });
      } else mismatches.push(...checked.mismatches);
    }
    return mismatches;
  }

  /** Says what is wrong, once for as long as it is the same. */
  #say(mismatches: readonly string[], missing: readonly string[]): void {
    const wrong = [
      ...(mismatches.length === 0 ? [] : [new DefinitionMismatch(mismatches)]),
      ...(missing.length === 0 ? [] : [new NotCaptured(missing)]),
    ];
    const said = wrong.map(({ message }) => message).join('\n');
    if (said !== '' && said !== this.#said) this.#options.log.error({ collections: this.#unserved() }, said);
    this.#said = said;
  }

  #unserved(): readonly string[] {
    return this.#options.collections.map(({ name }) => name).filter((name) => !this.isServed(name));
  }

  /** Whether the changes of all nodes are moved by this one now, as far as it knows. */
  get active(): boolean {
    return this.#relay.active;
  }

  /** Moves changes, and watches the captures, from now on; where it does so already, at once. */
  async wake(): Promise<void> {
    if (this.#closed) return;
    this.#isWanted = true;
    await this.#settle();
    this.#relay.kick();
  }

  /** Moves no changes any more, and holds no timer, until {@link wake}. What was asked for is still answered, and streams stay. */
  async rest(): Promise<void> {
    this.#isWanted = false;
    await this.#settle();
  }

  /** One change after the other: a lease has to be given up before it can be taken again. */
  #settle(): Promise<void> {
    this.#settling = this.#settling
      .then(async () => {
        if (this.#isWanted === this.#isMoving) return;
        this.#isMoving = this.#isWanted;
        if (this.#isMoving) {
          this.#relay.start();
          this.#planWatch();
        } else {
          clearTimeout(this.#timer);
          await this.#relay.stop();
        }
      })
      .catch(this.#options.onFault);
    return this.#settling;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#streams?.close();
    await this.rest();
  }

  async #watch(): Promise<void> {
    await this.look();
    if (this.#isMoving) this.#planWatch();
  }

  #planWatch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#watch(), WATCH_MS);
  }

  /** Looks once whether the tables are still captured, and ends the streams of those that are not. */
  async look(): Promise<void> {
    const { store, log, onFault, endStreams } = this.#options;
    try {
      const { missing, lost } = await this.#captures.find(store.database);
      for (const name of lost) {
        log.error(
          { collection: name, tables: missing },
          'a collection is not captured any more, and is not served until it is',
        );
        endStreams(name);
      }
      if (this.#streamed.size < this.#options.collections.length) this.#say(await this.#takeIn(), missing);
    } catch (error) {
      // While the database is away, nothing is captured that nobody is told of.
      if (!(error instanceof StoreUnavailable)) onFault(error);
    }
  }

  #drained<Result>(name: string, work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return this.#relay.drained(this.#capturesOf(name), work);
  }

  /** @throws StoreUnavailable while the collection is not captured */
  #capturesOf(name: string): readonly number[] {
    const captures = this.#captures.of(name);
    if (captures === undefined) throw new StoreUnavailable(`the collection ${name} is not captured`);
    return captures;
  }
}

/** @throws RowSecurityLacks with what is to be run, where the server may not run it itself */
async function requireRowSecurity(database: Database): Promise<void> {
  const installed = await installRowSecurity(database);
  if (installed.ok) return;
  throw new RowSecurityLacks(`rls() needs roles and functions that this server may not create. Run:
${installed.statements.map((statement) => `${statement};`).join('\n')}`);
}
