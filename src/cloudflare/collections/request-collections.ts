/**
 * The collections of one request: records are read and written over Hyperdrive from here, streams are read from the object.
 */
import type { SubscribeRequest, Subscription } from '../../broker/broker.ts';
import { drained } from '../../capture/relay-drain.ts';
import { OutboxFloor } from '../../capture/relay-floor.ts';
import type { CollectionParts } from '../../http/live-collections.ts';
import { ServedCollections } from '../../http/served-collections.ts';
import type { Collection } from '../../records/collection.ts';
import { guardScope } from '../../records/guard-scope.ts';
import { recordAtVersion } from '../../records/history.ts';
import type { StreamOutcome } from '../../records/record-streams.ts';
import { createRecords, type Records } from '../../records/records.ts';
import { canonicalFilters } from '../../records/row-filter.ts';
import type { TableCatalog } from '../../records/table-catalog.ts';
import type { Caller } from '../../records/visibility.ts';
import type { Transaction } from '../../store/postgres/database.ts';
import type { PostgresStore } from '../../store/postgres/postgres-store.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { reach } from '../away.ts';
import { EdgeSubscription } from '../edge-subscription.ts';
import { FilterMisfit } from '../read-refusal.ts';
import { type CollectionBindings, collectionsOf } from './bindings.ts';
import { openCollectionSocket } from './collection-socket.ts';
import { catalogOf, type RememberedTables } from './remembered-tables.ts';

export interface RequestCollectionsOptions {
  readonly bindings: CollectionBindings;
  readonly collections: readonly Collection[];
  readonly remembered: RememberedTables;
  /** Where the logs of collections are. */
  readonly store: PostgresStore;
  /** Seals the tokens of pages. */
  readonly secret: () => Promise<Uint8Array>;
  /** Keeps the request alive until something is done. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly parts: Pick<CollectionParts, 'log' | 'onFault' | 'endStreams'>;
}

/** How long it is believed that collections are served and their tables captured, in ms. */
const LOOK_MS = 3000;
/** How long the object is left to move what waits before it is done here, in ms: it may have slept. */
const HOPE_MS = 1000;

export class RequestCollections extends ServedCollections {
  readonly records: Records;
  readonly streams = {
    misfit: (request: SubscribeRequest) => this.#misfit(request),
    subscribe: (caller: Caller, request: SubscribeRequest, before?: Subscription) =>
      this.#subscribe(caller, request, before),
  };
  readonly #options: RequestCollectionsOptions;
  readonly #byName: ReadonlyMap<string, Collection>;
  readonly #catalog: TableCatalog;
  readonly #floor: OutboxFloor;
  #kicking: Promise<void> | undefined;
  #preparing: Promise<void> | undefined;

  constructor(options: RequestCollectionsOptions) {
    super(options.collections);
    const { store, remembered, secret, parts } = options;
    const { database } = store;
    const collections = options.collections.map((collection) => guardScope(collection, parts.onFault));
    this.#options = options;
    this.#byName = new Map(collections.map((collection) => [collection.name, collection]));
    this.#catalog = catalogOf(remembered, database);
    // Nothing is learned in one request that another could go by.
    this.#floor = new OutboxFloor(database, () => performance.now());
    this.records = prepared(
      createRecords({
        database,
        collections,
        catalog: this.#catalog,
        epochOf: (topic, incarnation) => store.epochOf(topic, incarnation),
        drained: (work, name) => this.#drained(name, work),
        kick: () => this.#kick(),
        secret,
        versionAt: (collection, key, version) =>
          this.#drained(collection.name, (transaction) => recordAtVersion(transaction, collection, key, version)),
      }),
      (name) => this.#prepare(name),
    );
  }

  /** Nothing is asked before it is needed: most requests are of topics. */
  async start(): Promise<void> {}

  close(): Promise<void> {
    return this.#options.store.close();
  }

  async #misfit({ topic, filters = [] }: SubscribeRequest): Promise<string | undefined> {
    const collection = this.#byName.get(topic);
    if (collection === undefined || filters.length === 0) return undefined;
    await this.#prepare(topic);
    const facts = await this.#catalog.of(collection);
    const canonical = await canonicalFilters(this.#options.store.database, collection, facts, filters);
    return canonical.ok ? undefined : canonical.field;
  }

  async #subscribe(caller: Caller, request: SubscribeRequest, before?: Subscription): Promise<StreamOutcome> {
    const { bindings, parts } = this.#options;
    const { topic } = request;
    const read = {
      request,
      connect: (events, observer) => openCollectionSocket(bindings, { topic, events, caller }, observer),
      onEnded: () => parts.endStreams(topic),
      everyGap: true,
    } satisfies Parameters<typeof EdgeSubscription.open>[0];
    try {
      const subscription =
        before instanceof EdgeSubscription
          ? await before.succeed(read, { topic, events: request, caller })
          : await EdgeSubscription.open(read);
      return { kind: 'subscribed', subscription };
    } catch (error) {
      if (error instanceof FilterMisfit) return { kind: 'invalid-filter', field: error.field };
      throw error;
    }
  }

  /** Looks what is served, and what is captured, as far as that is not known. @throws StoreUnavailable when a collection is not served */
  async #prepare(name: string): Promise<void> {
    const { remembered } = this.#options;
    if (Date.now() - remembered.looked >= LOOK_MS || !remembered.served.includes(name)) {
      this.#preparing ??= this.#look().finally(() => {
        this.#preparing = undefined;
      });
      await this.#preparing;
    }
    if (!remembered.served.includes(name)) throw new StoreUnavailable(`the collection ${name} is not served for now`);
  }

  async #look(): Promise<void> {
    const { bindings, remembered, store } = this.#options;
    const served = await reach(collectionsOf(bindings).served());
    if (served === undefined) throw new StoreUnavailable('the collections are not ready');
    await remembered.captures.find(store.database);
    Object.assign(remembered, { served: [...served], looked: Date.now() });
  }

  #drained<Result>(name: string, work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const { bindings, remembered, store, parts } = this.#options;
    const captures = remembered.captures.of(name);
    if (captures === undefined) return Promise.reject(new StoreUnavailable(`the collection ${name} is not captured`));
    return drained(
      {
        database: store.database,
        targets: () => remembered.captures.targets,
        epochOf: (topic, incarnation) => store.epochOf(topic, incarnation),
        clock: () => performance.now(),
        random: Math.random,
        floor: this.#floor,
        kick: () => this.#kick(),
        hopeMs: HOPE_MS,
        alone: (move) => move(),
        onEmpty: () => undefined,
        onMoved: ({ batches }) => {
          if (batches.length > 0) void this.#tell(collectionsOf(bindings).moved());
        },
        onUnreadable: (error) =>
          parts.log.error({ error, capture: error.capture }, 'a change cannot be read, and its table waits'),
      },
      captures,
      work,
    );
  }

  /** One kick after the other: the object looks as soon as it comes. */
  #kick(): void {
    this.#kicking ??= this.#tell(collectionsOf(this.#options.bindings).kick()).finally(() => {
      this.#kicking = undefined;
    });
  }

  /** Where the object does not hear of it, its alarm finds out. */
  #tell(call: Promise<void>): Promise<void> {
    const { waitUntil, parts } = this.#options;
    const told = call.catch((error: unknown) => parts.log.debug({ error }, 'the object of collections was not told'));
    waitUntil(told);
    return told;
  }
}

/** Has every method wait for something, by the name of the collection. */
function prepared(records: Records, prepare: (name: string) => Promise<void>): Records {
  const after =
    <Given extends readonly unknown[], Answer>(method: (name: string, ...given: Given) => Promise<Answer>) =>
    async (name: string, ...given: Given): Promise<Answer> => {
      await prepare(name);
      return method(name, ...given);
    };
  return {
    find: (name) => records.find(name),
    list: after(records.list),
    read: after(records.read),
    readAt: after(records.readAt),
    history: after(records.history),
    create: after(records.create),
    replace: after(records.replace),
    patch: after(records.patch),
    remove: after(records.remove),
  };
}
