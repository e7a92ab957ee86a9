/**
 * The readers of an object: their sockets, and the objects that have readers beyond its own.
 *
 * An object has at most so many sockets. Who comes then is sent to one of its relays, which has readers of its own, and relays again when those
 * are too many: a tree, each of whose objects stays within the limits of the platform. A relay is told what is new by the object above it; what
 * it has missed, it reads there by its cursor.
 */
import type { SubscribeRequest, Subscription } from '../broker/broker.ts';
import type { EventBody } from '../protocol/event.ts';
import type { Caller } from '../records/visibility.ts';
import type { PresenceChanges } from '../store/presence-store.ts';
import { type StoredBatch, StoreUnavailable } from '../store/store.ts';
import type { Spread } from './bindings.ts';
import { closeSocket, type ObjectState, socketPair, upgrade, type WorkerSocket } from './platform.ts';
import { attached, detach } from './reader-attachment.ts';
import type { RelayMethods } from './relay-object.ts';
import { decodeExchange, decodeTaken, RELAY_HEADER, type ReadRequest } from './topic-frames.ts';
import { TopicReader } from './topic-reader.ts';

/** What is told to relays. */
export type RelayWord =
  | { readonly kind: 'moved'; readonly epoch: string; readonly batch: StoredBatch }
  /** The log has come to here; or is another one. */
  | { readonly kind: 'head' }
  | { readonly kind: 'ephemeral'; readonly time: number; readonly bodies: readonly EventBody[] }
  | { readonly kind: 'presence'; readonly after: number; readonly changes: PresenceChanges };

/** What a reader reads, and as whom, where that matters; and its subscription until now, where there is one to take the place of. */
export interface Reading {
  readonly request: SubscribeRequest;
  readonly caller: Caller | undefined;
  readonly before?: Subscription | undefined;
}

export interface AudienceOptions {
  readonly ctx: ObjectState;
  /** @throws StoreUnavailable */
  readonly subscribe: (reading: Reading) => Promise<Subscription>;
  readonly spread: Spread;
  /** A relay of this object, where it has any. */
  readonly relay?: (topic: string, index: number) => RelayMethods;
  readonly onFault: (error: unknown) => void;
}

/** How long after something was done the places of readers are attached to their sockets, in ms. An object is put to sleep much later. */
const SETTLE_MS = 2000;
/** Words that wait for a relay that is told others; beyond, only how far the topic has come is told, and it reads what it has missed. */
const MOST_WORDS = 100;
/** How often a relay that cannot be reached is tried again at once, and how long to wait before, in ms. It also looks by itself. */
const ATTEMPTS = 5;
const AGAIN_MS = 200;

/** What is still to be told to one relay. */
interface Telling {
  readonly words: RelayWord[];
  isBusy: boolean;
}

export class Audience {
  readonly #options: AudienceOptions;
  readonly #sockets = new Map<WorkerSocket, TopicReader>();
  /** Sockets of each relay, as far as is known. Those without any are told nothing. */
  readonly #relays = new Map<number, number>();
  readonly #telling = new Map<number, Telling>();
  #settling: ReturnType<typeof setTimeout> | undefined;
  #next = 0;
  /** Readers that are being let in. */
  #opening = 0;

  constructor(options: AudienceOptions) {
    this.#options = options;
    const { sql } = options.ctx.storage;
    sql.exec('CREATE TABLE IF NOT EXISTS relays (relay INTEGER PRIMARY KEY, readers INTEGER NOT NULL)');
    for (const { relay, readers } of sql.exec<{ relay: number; readers: number }>('SELECT relay, readers FROM relays'))
      this.#relays.set(relay, readers);
  }

  /** Readers here and at the relays. */
  get size(): number {
    let sum = this.#sockets.size;
    for (const readers of this.#relays.values()) sum += readers;
    return sum + this.#opening;
  }

  /** Counts a reader from when it asks, so that what is told meanwhile is told here too. */
  async opening(work: () => Promise<Response>): Promise<Response> {
    this.#opening += 1;
    try {
      return await work();
    } finally {
      this.#opening -= 1;
    }
  }

  /** Readers here, whether the object has slept since they came or not. */
  get sockets(): number {
    return this.#options.ctx.getWebSockets().length;
  }

  /** Those of them that read a topic. */
  count(topic: string): number {
    const { ctx } = this.#options;
    return ctx.getWebSockets().filter((socket) => attached(ctx, socket).read.topic === topic).length;
  }

  get watchers(): readonly TopicReader[] {
    return [...this.#sockets.values()].filter(({ presence }) => presence);
  }

  /** What was there before the object slept goes on from where it stood. Who cannot now, is to come again. */
  async wake(): Promise<void> {
    const { ctx } = this.#options;
    const readers = ctx.getWebSockets().map((socket) => [socket, TopicReader.restored(ctx, socket)] as const);
    await Promise.allSettled(readers.map(([socket, reader]) => this.#begin(socket, reader, false)));
  }

  /** Opens a reader's socket, or says which relay has room for it. */
  async open(read: ReadRequest): Promise<Response> {
    const { ctx, spread } = this.#options;
    const isFull = this.sockets >= spread.readers;
    if (isFull && spread.relays === 0) throw new StoreUnavailable('the object has as many readers as it can have');
    if (isFull) return new Response(null, { headers: { [RELAY_HEADER]: String(this.#relayWithRoom()) } });
    const [client, server] = socketPair();
    ctx.acceptWebSocket(server);
    await this.#begin(server, TopicReader.of(ctx, server, read), true);
    this.settleSoon();
    return upgrade(client);
  }

  hear(socket: WorkerSocket, message: unknown): void {
    const reader = this.#sockets.get(socket);
    const taken = decodeTaken(message);
    if (taken !== undefined) {
      reader?.taken(taken);
      this.settleSoon();
      return;
    }
    const read = decodeExchange(message);
    if (read === undefined) return;
    // Who is not known here comes again, from where it stands.
    if (reader === undefined) this.forget(socket);
    else void reader.exchange(read, (before) => this.#exchange(read, before));
  }

  /** Ends the readers of a topic that is not served any more. */
  end(topic: string): void {
    for (const reader of this.#sockets.values()) if (reader.topic === topic) reader.end();
  }

  forget(socket: WorkerSocket): void {
    this.#sockets.get(socket)?.close();
    this.#sockets.delete(socket);
    detach(this.#options.ctx, socket);
    closeSocket(socket);
  }

  /** Sees to it that readers know, and have attached, how far they have come. */
  settleSoon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      for (const reader of this.#sockets.values()) reader.settle();
    }, SETTLE_MS);
  }

  /** Tells readers here who watch presence. */
  tellPresence(after: number, changes: PresenceChanges): void {
    for (const reader of this.watchers) reader.tellPresence(after, changes);
  }

  /** Notes how many readers a relay has. */
  noteRelay(relay: number, readers: number): void {
    const { sql } = this.#options.ctx.storage;
    if (this.#relays.get(relay) === readers) return;
    this.#relays.set(relay, readers);
    sql.exec('INSERT OR REPLACE INTO relays (relay, readers) VALUES (?, ?)', relay, readers);
  }

  /** Tells the relays that have readers. */
  tellRelays(topic: string, word: RelayWord): void {
    for (const [relay, readers] of this.#relays) if (readers > 0) this.#tell(topic, relay, word);
  }

  #tell(topic: string, relay: number, word: RelayWord): void {
    const told = this.#telling.get(relay) ?? { words: [], isBusy: false };
    this.#telling.set(relay, told);
    told.words.push(word);
    if (told.words.length > MOST_WORDS) told.words.splice(0, told.words.length, ...shortened(told.words));
    if (!told.isBusy) void this.#tellOn(topic, relay, told);
  }

  /** One word after the other, so that they come in their order. */
  async #tellOn(topic: string, relay: number, told: Telling): Promise<void> {
    told.isBusy = true;
    let failures = 0;
    while (told.words.length > 0 && failures < ATTEMPTS) {
      const words = told.words.splice(0);
      try {
        this.noteRelay(relay, (await this.#options.relay?.(topic, relay).told(words)) ?? 0);
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures === ATTEMPTS) this.#options.onFault(error);
        // Nobody knows whether they came. Twice, what has a place in the log does no harm.
        told.words.unshift(...words.filter(({ kind }) => kind !== 'ephemeral'));
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS * failures));
      }
    }
    told.isBusy = false;
    this.#telling.delete(relay);
  }

  /** The first that has room; where none has, one after the other: they have relays themselves. */
  #relayWithRoom(): number {
    const { readers, relays } = this.#options.spread;
    for (let relay = 0; relay < relays; relay += 1) {
      const has = this.#relays.get(relay) ?? 0;
      if (has >= readers) continue;
      // Its own word of how many it has comes with what it is told next.
      this.noteRelay(relay, has + 1);
      return relay;
    }
    this.#next = (this.#next + 1) % relays;
    return this.#next;
  }

  async #exchange({ events, caller }: ReadRequest, before: Subscription | undefined): Promise<Subscription> {
    if (events === undefined) throw new TypeError('a reader of events is to read none');
    return this.#options.subscribe({ request: events, caller, before });
  }

  async #begin(socket: WorkerSocket, reader: TopicReader, isNew: boolean): Promise<void> {
    // Known before anything is awaited: one that closes meanwhile is to be found.
    this.#sockets.set(socket, reader);
    const { request, caller } = reader;
    try {
      reader.begin(request && (await this.#options.subscribe({ request, caller })), isNew);
    } catch (error) {
      this.forget(socket);
      throw error;
    }
  }
}

/** That presence has come to a revision, without what has changed. */
export function bareChanges(revision: number): PresenceChanges {
  return { revision, forgotten: true, changes: [], due: undefined };
}

/** How far a topic has come by these words. */
function shortened(words: readonly RelayWord[]): readonly RelayWord[] {
  const revisions = words.flatMap((word) => (word.kind === 'presence' ? [word.changes.revision] : []));
  const presence = revisions.length === 0 ? [] : [Math.max(...revisions)];
  return [
    { kind: 'head' },
    ...presence.map((revision) => ({ kind: 'presence', after: 0, changes: bareChanges(revision) }) as const),
  ];
}
