/**
 * The object of all collections: moves the changes of their tables into the logs, which are in Postgres too, and has the readers of these.
 *
 * It works when it has to: it is kicked after each write of this API, and looks for what others wrote by its alarm, which comes every few
 * seconds while somebody reads and once a minute while nobody does. In between it holds no timer, no lease and, after some seconds, no
 * connection. While the alarm comes every ten seconds or more seldom, it sleeps in between, under its readers' sockets; what its views held is read anew then,
 * before anything is moved.
 */
import type { Subscription } from '../../broker/broker.ts';
import type { LocalBroker } from '../../broker/local-broker.ts';
import type { LiveCollections } from '../../http/live-collections.ts';
import type { Collection } from '../../records/collection.ts';
import type { Database } from '../../store/postgres/database.ts';
import { openHyperdrive } from '../../store/postgres/hyperdrive.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { Audience, type Reading } from '../audience.ts';
import { AudienceObject } from '../audience-object.ts';
import { type Settings, settingsOf } from '../bindings.ts';
import { createConsoleLog } from '../console-log.ts';
import { answerPings, type ObjectState, type WorkerSocket } from '../platform.ts';
import { FilterMisfit, NotServed, refusalOf } from '../read-refusal.ts';
import { decodeRead, encodeRefusal, READ_HEADER, REFUSAL_HEADER } from '../topic-frames.ts';
import { type CollectionBindings, captureIntervalOf } from './bindings.ts';
import { type CollectionsNode, openCollectionsNode } from './collections-node.ts';
import { lookAtDatabase } from './look-at-database.ts';
import { requireUncached } from './require-uncached.ts';

/** What may be called. */
export interface CollectionsMethods {
  /** Somebody has written: there may be something to move. */
  kick(): Promise<void>;
  /** Somebody else has moved something. */
  moved(): Promise<void>;
  /** The collections that are as they must be; `undefined` when none can be served. What is wrong is in the log. */
  served(): Promise<readonly string[] | undefined>;
  /** How many read a collection. */
  readers(collection: string): Promise<number>;
}

/** How soon the alarm comes while nobody reads, in ms: what waits then waits in the database. */
const IDLE_MS = 60_000;
/** How often logs are tidied: while it is awake, and when it would have to be woken for it, in ms. */
const TIDY_MS = 60_000;
const TIDY_ASLEEP_MS = 3_600_000;
/** How often it is looked whether queries are cached, in ms. */
const UNCACHED_MS = 3_600_000;
/** When it is looked after a kick whether another node has moved what was written, in ms after each other. */
const FOLLOW_MS = [30, 100, 400, 1500];
/** How long a database that is not as it must be is not asked again, in ms. */
const PATIENCE_MS = 2000;
/** The platform lets an object have 32,768 sockets. */
const MOST_READERS = 32_000;

export class CollectionsObject extends AudienceObject<CollectionBindings> implements CollectionsMethods {
  protected readonly audience: Audience;
  readonly #collections: readonly Collection[];
  readonly #settings: Settings;
  readonly #intervalMs: number;
  /** What it works with, until it sleeps. */
  #node: Promise<CollectionsNode> | undefined;
  /** The same, as soon as readers can be subscribed. */
  #opened: CollectionsNode | undefined;
  #failed: { readonly error: unknown; readonly until: number } | undefined;
  #database: Database | undefined;
  #isFollowing = false;

  /** @param collections all that there are */
  constructor(ctx: ObjectState, env: CollectionBindings, collections: readonly Collection[]) {
    super(ctx, env);
    this.#collections = collections;
    this.#settings = settingsOf(env);
    this.#intervalMs = captureIntervalOf(env);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
    this.audience = new Audience({
      ctx,
      subscribe: (reading) => this.#subscribe(reading),
      spread: { readers: MOST_READERS, relays: 0 },
      onFault: (error) => console.error(error),
    });
    answerPings(ctx);
  }

  /** Opens a reader's socket. */
  async fetch(request: Request): Promise<Response> {
    const header = request.headers.get(READ_HEADER);
    if (header === null || request.headers.get('Upgrade') !== 'websocket') return new Response(null, { status: 400 });
    try {
      await this.#up();
      const response = await this.audience.open(decodeRead(header));
      await this.#planAlarm();
      return response;
    } catch (error) {
      return new Response(null, { status: 503, headers: { [REFUSAL_HEADER]: encodeRefusal(refusalOf(error)) } });
    }
  }

  async kick(): Promise<void> {
    await this.#planAlarm();
    const { live, broker } = await this.#up();
    await live.wake();
    // Where another node moves the changes of all, its word does not come here.
    if (this.audience.sockets > 0) void this.#follow(live, broker);
  }

  async #follow(live: LiveCollections, broker: LocalBroker): Promise<void> {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    for (const pauseMs of FOLLOW_MS) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      if (live.active) break;
      await broker.checkTails();
    }
    this.#isFollowing = false;
  }

  async moved(): Promise<void> {
    if (this.audience.sockets === 0) return;
    const { broker } = await this.#up();
    await broker.checkTails();
  }

  async served(): Promise<readonly string[] | undefined> {
    await this.#planAlarm();
    try {
      const { live } = await this.#up();
      return this.#collections.map(({ name }) => name).filter((name) => live.isServed(name));
    } catch (error) {
      if (error instanceof StoreUnavailable) return undefined;
      throw error;
    }
  }

  async readers(collection: string): Promise<number> {
    return this.audience.count(collection);
  }

  /** What a reader says needs what it was reading with. Where that cannot be had now, it is to come again. */
  override async webSocketMessage(socket: WorkerSocket, message: unknown): Promise<void> {
    try {
      await this.#up();
      super.webSocketMessage(socket, message);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.audience.forget(socket);
    }
  }

  /** Looks for what others did, and lets go of what has had its time. */
  async alarm(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) console.error(error);
    }
    await this.#planAlarm();
  }

  async #look(): Promise<void> {
    const database = this.#connected();
    const { waiting, ends } = await lookAtDatabase(database, this.#collections);
    const isAsleep = this.#node === undefined;
    const isTidyingDue = this.#isDue('tidied', isAsleep ? TIDY_ASLEEP_MS : TIDY_MS);
    if (isAsleep && !waiting && !isTidyingDue && (this.audience.sockets === 0 || ends === this.#noted('ends'))) return;
    const { live, broker, retention } = await this.#up();
    await live.look();
    await broker.checkTails();
    if (waiting) await live.wake();
    this.#note('ends', ends);
    if (!isTidyingDue) return;
    this.#note('tidied', String(Date.now()));
    await retention.run();
  }

  /** What it works with, and its readers where they stood. @throws StoreUnavailable */
  #up(): Promise<CollectionsNode> {
    if (this.#failed !== undefined && this.#failed.until > Date.now()) return Promise.reject(this.#failed.error);
    this.#node ??= this.#open().catch((error: unknown) => {
      this.#node = undefined;
      const isAway = error instanceof StoreUnavailable;
      // What is wrong is the operator's to read.
      if (isAway) console.warn('the database cannot be reached', error.cause);
      else console.error(error);
      const unavailable = isAway ? error : new StoreUnavailable('the collections are not ready', { cause: error });
      this.#failed = { error: unavailable, until: Date.now() + PATIENCE_MS };
      throw unavailable;
    });
    return this.#node;
  }

  async #open(): Promise<CollectionsNode> {
    const database = this.#connected();
    await this.#requireUncached(database);
    const node = await openCollectionsNode({
      database,
      collections: this.#collections,
      settings: this.#settings,
      log: createConsoleLog(this.#settings.logLevel),
      onRest: () => void node.live.rest(),
      onFlush: () => this.audience.settleSoon(),
      endStreams: (collection) => this.audience.end(collection),
      onFault: (error) => console.error(error),
    });
    this.#opened = node;
    // Before anything is moved: of what goes out of sight afterwards they can be told.
    await this.audience.wake();
    // Its predecessor may have been ended in the middle of a move.
    void node.live.wake();
    return node;
  }

  async #subscribe({ request, caller, before }: Reading): Promise<Subscription> {
    const live = this.#opened?.live;
    if (live === undefined) throw new StoreUnavailable('the collections are not ready');
    if (!live.isServed(request.topic)) throw new NotServed(request.topic);
    if (caller === undefined) throw new TypeError('a reader of a collection is nobody');
    const outcome = await live.streams.subscribe(caller, request, before);
    if (outcome.kind === 'invalid-filter') throw new FilterMisfit(outcome.field);
    return outcome.subscription;
  }

  async #requireUncached(database: Database): Promise<void> {
    if (!this.#isDue('uncached', UNCACHED_MS)) return;
    await requireUncached(database);
    this.#note('uncached', String(Date.now()));
  }

  #connected(): Database {
    this.#database ??= openHyperdrive(this.env.HYPERDRIVE.connectionString);
    return this.#database;
  }

  async #planAlarm(): Promise<void> {
    const time = Date.now() + (this.audience.sockets > 0 ? this.#intervalMs : IDLE_MS);
    const planned = await this.ctx.storage.getAlarm();
    if (planned === null || planned > time) await this.ctx.storage.setAlarm(time);
  }

  /** Whether something was noted so long ago, or never. @param ms how long */
  #isDue(name: string, ms: number): boolean {
    return Date.now() - Number(this.#noted(name) ?? 0) >= ms;
  }

  #noted(name: string): string | undefined {
    const { sql } = this.ctx.storage;
    return sql.exec<{ value: string }>('SELECT value FROM notes WHERE name = ?', name).toArray()[0]?.value;
  }

  #note(name: string, value: string): void {
    if (this.#noted(name) === value) return;
    this.ctx.storage.sql.exec('INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)', name, value);
  }
}
