/** The whole client: connection and subscriptions, writes that wait, records, presence, and one connection for all tabs. */
import type { DefinitionOf } from '../protocol/definition.ts';
import { type ConnectOptions, connect, type Link } from './connect.ts';
import { backoff } from './connection/backoff.ts';
import { longPoll, type Obstacle } from './connection/fallback.ts';
import { createId } from './create-id.ts';
import { createEnvironment } from './environment.ts';
import { createListeners } from './listeners.ts';
import type { Resolve } from './outbox/conflict.ts';
import { createOutbox } from './outbox/create-outbox.ts';
import { openIndexedDbStore } from './outbox/indexeddb-store.ts';
import { createMemoryStore } from './outbox/memory-store.ts';
import { type Enqueued, type Outbox, outboxName } from './outbox/outbox.ts';
import { createPresence, type HeldPresence, type Presence } from './presence/presence.ts';
import { type Quality, qualityOf } from './quality.ts';
import { type Collection, type CollectionOptions, openCollection } from './records/collection.ts';
import type { Reading } from './records/live-query.ts';
import { createRoundTrip } from './round-trip.ts';
import type { Status } from './status.ts';
import { type SharedConnection, shareConnection } from './tabs/share-connection.ts';
import type { TypedCollections, TypedPublish, TypedSubscribe } from './typed-client.ts';

export interface ClientOptions extends Omit<ConnectOptions, 'open' | 'onEvent'> {
  /** Whose client this is, as the token's `sub` says: what waits to be written, and the connection, are shared with tabs of the same user only. */
  readonly user?: string | undefined;
  /** Whether all tabs of this browser share one connection. Yes in pages, unless told; never where there is a token and no `user`. */
  readonly tabs?: boolean | undefined;
  /** The most writes that wait, 1,000 unless told. */
  readonly queue?: number | undefined;
  /** Decides what the server cannot merge. Without it, such writes become dead letters. */
  readonly resolve?: Resolve | undefined;
  /** What is to be known of collections: the fields of their keys, `id` unless told. */
  readonly collections?: Readonly<Record<string, CollectionOptions>> | undefined;
}

const isPage = typeof document === 'object';

/** The status of a client. The same object as long as nothing has changed. */
export interface ClientStatus extends Status {
  /** Why it is polls: what was seen of streams. */
  readonly obstacle: Obstacle | undefined;
  readonly quality: Quality;
  /** ms, of a request and its answer. Measured every 30 s while somebody observes the status and sees the page. */
  readonly roundTrip: number | undefined;
  /** Writes that the server has not confirmed yet. */
  readonly queued: number;
  /** Writes that were refused, and wait for somebody to decide. */
  readonly dead: number;
}

/** @typeParam App what the server's definitions say of its topics and collections: `typeof app`, of what `createRealtime` made */
export interface Client<App = unknown> extends Omit<Link, 'status' | 'reopen' | 'subscribe'> {
  readonly subscribe: TypedSubscribe<DefinitionOf<App>>;
  readonly status: ClientStatus;
  /** Publishes, as soon as there is a server to publish to: atomically, each publish of a topic after the one before it. */
  readonly publish: TypedPublish<DefinitionOf<App>>;
  /** A table of the server's database: records, live and local. The same object for the same name. */
  readonly collection: TypedCollections<DefinitionOf<App>>;
  /** Who is at a topic. To be closed when it is not needed any more. */
  presence(topic: string): Presence;
  readonly outbox: Omit<Outbox, 'enqueue' | 'close' | 'suspend' | 'resume' | 'settle' | 'wake'>;
}

/**
 * Makes a client. It connects when something is subscribed to, or waits to be written.
 *
 * @throws TypeError when the URL is none
 * @example
 * ```ts
 * const client = createClient({ url: 'https://api.example.com', token: () => fetchToken(), user: 'ada' });
 * client.subscribe('chat:lobby', { last: 20 }, { onEvent: ({ data }) => show(data) });
 * await client.publish('chat:lobby', { type: 'said', data: { text: 'Hello' } }).confirmed;
 *
 * // With what the server's code says of its topics and collections:
 * import type { app } from '../server.ts';
 * const typed = createClient<typeof app>({ url: 'https://api.example.com' });
 * ```
 */
export function createClient<App = unknown>(options: ClientOptions): Client<App>;
export function createClient(options: ClientOptions): Client {
  // Said at once where it is wrong, rather than by a server that is never reached.
  new URL(options.url, isPage ? document.baseURI : undefined);
  const { clock = Date.now, random = Math.random, environment = createEnvironment(), user, collections = {} } = options;
  const onError = options.onError ?? console.error;
  const name = outboxName(options.url, user);
  const locks = typeof navigator === 'object' ? navigator.locks : undefined;
  const Channel = typeof BroadcastChannel === 'function' ? BroadcastChannel : undefined;
  let share: SharedConnection | undefined;
  // Whose rights the shared connection has must be known: nobody is to be told what only another may see.
  const canShare = user !== undefined || options.token === undefined;
  if ((options.tabs ?? isPage) && canShare && locks !== undefined && Channel !== undefined)
    share = shareConnection({ name: `${name}/tabs`, locks, Channel, hidden: environment.hidden });

  const fallback = longPoll();
  const link = connect({
    ...options,
    onError,
    environment,
    open: (...request) => (share?.elsewhere() ?? fallback.open)(...request),
    // Whatever comes back on a stream need not be waited for any more.
    onEvent: ({ mutation }) => mutation !== undefined && outbox.settle(mutation),
  });
  const { request, observe, subscribe } = link;
  const outbox = createOutbox({
    name,
    store: openStore(name),
    request,
    environment: {
      clock,
      random,
      createId,
      ...(isPage && { locks }),
      ...(isPage && Channel && { openChannel: (channel: string) => new Channel(channel) }),
    },
    limit: options.queue,
    watches: link.reads,
    resolve: options.resolve,
    onError,
  });
  const opened = new Map<string, Collection<Enqueued>>();
  /** The lists that are being read. */
  const readings = new Map<object, Reading>();
  const presences = new Set<HeldPresence>();
  const listeners = createListeners(onError);
  const returns = createListeners(onError);
  let roundTrip: number | undefined;
  let status: ClientStatus | undefined;

  function changed(): void {
    status = undefined;
    listeners.tell();
  }

  const measuring = createRoundTrip({
    request,
    clock,
    due: () => !environment.hidden() && link.status.state === 'connected',
    onMeasured(ms) {
      roundTrip = ms;
      changed();
    },
  });

  const delays = new Set<() => void>();
  let isClosed = false;
  /** @returns calls it off. After {@link Client.close} nothing is called any more. */
  function delay(callback: () => void, ms: number): () => void {
    const cancel = () => {
      delays.delete(cancel);
      clearTimeout(timer);
    };
    const timer = setTimeout(() => {
      cancel();
      callback();
    }, ms);
    delays.add(cancel);
    if (isClosed) cancel();
    return cancel;
  }

  /** The server may be there again: whoever waits to ask it again need not. */
  function tryAgain(): void {
    outbox.wake();
    returns.tell();
  }

  let { state } = link.status;
  observe(() => {
    if (link.status.state !== state && link.status.state === 'connected') {
      // Where streams come through again, requests do.
      tryAgain();
      // Nothing was measured while there was no connection, and what was measured before it may be of another network.
      if (listeners.size > 0) measuring.start();
    }
    ({ state } = link.status);
    changed();
  });
  outbox.observe(changed);
  const stopListening = environment.listen({
    network() {
      fallback.network();
      tryAgain();
    },
    offline: () => undefined,
    wake() {
      share?.resume();
      outbox.resume();
    },
    sleep() {
      share?.suspend();
      outbox.suspend();
    },
  });
  share?.start(link);

  function readStatus(): ClientStatus {
    let queued = 0;
    for (const { state } of outbox.pending()) if (state !== 'acknowledged') queued += 1;
    const quality = qualityOf(link.status.state, roundTrip);
    let connection = link.status;
    const [reading] = readings.values();
    // Streams of records are opened when their lists have been read; what keeps those from it keeps everything from it.
    if (connection.state === 'disconnected' && !connection.trouble && reading)
      connection = { ...connection, ...reading, state: reading.trouble ? 'reconnecting' : 'connecting' };
    return {
      ...connection,
      obstacle: fallback.obstacle(),
      quality,
      roundTrip,
      queued,
      dead: outbox.deadLetters().length,
    };
  }

  const { reads } = link;
  return {
    request,
    subscribe,
    reads,
    outbox,
    get status() {
      status ??= readStatus();
      return status;
    },
    observe(listener) {
      const stop = listeners.add(listener);
      if (listeners.size === 1 && !isClosed) measuring.start();
      return () => {
        stop();
        if (listeners.size === 0) measuring.stop();
      };
    },
    publish: (topic, events) => outbox.enqueue({ kind: 'publish', topic, events: [events].flat() }),
    collection(of) {
      const known = opened.get(of);
      if (known !== undefined) return known;
      const collection = openCollection(of, collections[of] ?? {}, {
        request,
        subscribe,
        outbox,
        clock,
        retryDelay: (failures) => backoff(failures, random),
        onError,
        onReading(query, reading) {
          if (reading) readings.set(query, reading);
          else if (!readings.delete(query)) return;
          changed();
        },
        delay,
        // Called bare: browsers want it so.
        schedule: (callback) => queueMicrotask(callback),
        onReturn: returns.add,
      });
      opened.set(of, collection);
      return collection;
    },
    presence(topic) {
      const presence = createPresence(topic, {
        link,
        clock,
        random,
        hidden: environment.hidden,
        onError,
        onClose: () => presences.delete(presence),
      });
      presences.add(presence);
      return presence;
    },
    async renewToken() {
      await link.renewToken();
      outbox.wake();
      for (const presence of presences) presence.renew();
    },
    close() {
      isClosed = true;
      readings.clear();
      for (const cancel of delays) cancel();
      measuring.stop();
      stopListening();
      for (const presence of presences) presence.close();
      outbox.close();
      link.close();
      share?.close();
    },
  };
}

/** Where writes are kept: in the browser's database, or as long as the process lives. */
async function openStore(name: string) {
  const { indexedDB }: { readonly indexedDB?: IDBFactory } = globalThis;
  return (await openIndexedDbStore(indexedDB, name)) ?? createMemoryStore();
}
