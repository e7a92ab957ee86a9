/** The whole client: connection and subscriptions, writes that wait, records, presence, and one connection for all tabs. */
import type { EventInput } from '../protocol/event.ts';
import { type ConnectOptions, connect, type Link } from './connect.ts';
import { backoff } from './connection/backoff.ts';
import { longPoll } from './connection/fallback.ts';
import { createId } from './create-id.ts';
import { createEnvironment } from './environment.ts';
import type { Resolve } from './outbox/conflict.ts';
import { createOutbox } from './outbox/create-outbox.ts';
import { openIndexedDbStore } from './outbox/indexeddb-store.ts';
import { createMemoryStore } from './outbox/memory-store.ts';
import { type Enqueued, type Outbox, outboxName } from './outbox/outbox.ts';
import { createOwnWrites } from './own-writes.ts';
import { createPresence, type Presence } from './presence/presence.ts';
import { type Quality, qualityOf } from './quality.ts';
import { type Collection, type CollectionOptions, openCollection } from './records/collection.ts';
import { createRoundTrip } from './round-trip.ts';
import type { Status } from './status.ts';
import { type SharedConnection, shareConnection } from './tabs/share-connection.ts';

export interface ClientOptions extends Omit<ConnectOptions, 'elsewhere' | 'onEvent'> {
  /** Whose client this is, as the token's `sub` says: what waits to be written, and the connection, are shared with tabs of the same user only. */
  readonly user?: string | undefined;
  /** Whether all tabs of this browser share one connection. Yes in pages, unless told. */
  readonly tabs?: boolean | undefined;
  /** The most writes that wait, 1,000 unless told. */
  readonly queue?: number | undefined;
  /** Decides what the server cannot merge. Without it, such writes become dead letters. */
  readonly resolve?: Resolve | undefined;
  /** What is to be known of collections: the fields of their keys, `id` unless told. */
  readonly collections?: Readonly<Record<string, CollectionOptions>> | undefined;
}

/** The status of a client. The same object as long as nothing has changed. */
export interface ClientStatus extends Status {
  readonly quality: Quality;
  /** ms, of a request and its answer. Measured every 30 s while somebody observes the status and sees the page. */
  readonly roundTrip: number | undefined;
  /** Writes that the server has not confirmed yet. */
  readonly queued: number;
  /** Writes that were refused, and wait for somebody to decide. */
  readonly dead: number;
}

export interface Client extends Omit<Link, 'status' | 'reopen'> {
  readonly status: ClientStatus;
  /** Publishes, as soon as there is a server to publish to: atomically, each publish of a topic after the one before it. */
  publish(topic: string, events: EventInput | readonly EventInput[]): Enqueued;
  /** A table of the server's database: records, live and local. The same object for the same name. */
  collection(name: string): Collection<Enqueued>;
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
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const { clock = Date.now, random = Math.random, environment = createEnvironment(), user, collections = {} } = options;
  const onError = options.onError ?? ((error: unknown) => console.error(error));
  const name = outboxName(options.url, user);
  const locks = typeof navigator === 'object' ? navigator.locks : undefined;
  const Channel = typeof BroadcastChannel === 'function' ? BroadcastChannel : undefined;
  const isPage = typeof document === 'object';
  let share: SharedConnection | undefined;
  if ((options.tabs ?? isPage) && locks !== undefined && Channel !== undefined)
    share = shareConnection({ name: `${name}/tabs`, locks, Channel, hidden: environment.hidden });

  const link = connect({
    fallback: longPoll(),
    ...options,
    onError,
    environment,
    elsewhere: share?.elsewhere,
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
  const writes = createOwnWrites(outbox, clock);
  const opened = new Map<string, Collection<Enqueued>>();
  const presences = new Set<Presence>();
  const listeners = new Set<() => void>();
  const returns = new Set<() => void>();
  let roundTrip: number | undefined;
  let status: ClientStatus | undefined;

  function changed(): void {
    status = undefined;
    for (const listener of listeners) listener();
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
  /** The server may be there again: whoever waits to ask it again need not. */
  function tryAgain(): void {
    outbox.wake();
    for (const listener of [...returns]) listener();
  }

  let { state } = link.status;
  observe(() => {
    // Where streams come through again, requests do.
    if (link.status.state !== state && link.status.state === 'connected') {
      tryAgain();
      // Whoever observed it before there was a connection need not wait for the next time.
      if (roundTrip === undefined && listeners.size > 0) measuring.start();
    }
    ({ state } = link.status);
    changed();
  });
  writes.listen(changed);
  const stopListening = environment.listen({
    network: tryAgain,
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
    let [queued, dead] = [0, 0];
    for (const mutation of writes.all) {
      if (mutation.state === 'dead') dead += 1;
      else if (mutation.state !== 'acknowledged') queued += 1;
    }
    const quality = qualityOf(link.status.state, roundTrip);
    return { ...link.status, quality, roundTrip, queued, dead };
  }

  const { reads, pause, resume } = link;
  return {
    request,
    subscribe,
    reads,
    pause,
    resume,
    outbox,
    get status() {
      status ??= readStatus();
      return status;
    },
    observe(listener) {
      listeners.add(listener);
      if (listeners.size === 1) measuring.start();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) measuring.stop();
      };
    },
    publish: (topic, events) => writes.enqueue({ kind: 'publish', topic, events: [events].flat() }),
    collection(of) {
      const known = opened.get(of);
      if (known !== undefined) return known;
      const collection = openCollection(of, collections[of] ?? {}, {
        request,
        subscribe,
        outbox: writes,
        clock,
        retryDelay: (attempt) => backoff(attempt + 1, random),
        delay(callback, ms) {
          const timer = setTimeout(callback, ms);
          return () => clearTimeout(timer);
        },
        // Called bare: browsers want it so.
        schedule: (callback) => queueMicrotask(callback),
        onReturn(listener) {
          returns.add(listener);
          return () => returns.delete(listener);
        },
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
      });
      presences.add(presence);
      return presence;
    },
    async renewToken() {
      await link.renewToken();
      outbox.wake();
    },
    close() {
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
