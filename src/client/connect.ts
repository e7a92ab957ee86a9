/** The smaller client: a connection and its subscriptions, and requests. `createClient` adds the rest. */
import type { Event } from '../protocol/event.ts';
import type { OpenTransport } from './connection/transport.ts';
import { createEnvironment, type Environment } from './environment.ts';
import { createListeners } from './listeners.ts';
import { createRequest, type Request } from './request.ts';
import type { Status } from './status.ts';
import type { Subscribe } from './subscription.ts';
import { createSubscriptions } from './subscriptions/subscriptions.ts';
import { createToken, type TokenOption } from './token.ts';

export interface ConnectOptions {
  /** Where the API is mounted: `https://api.example.com`, or a path of this page's own host. */
  readonly url: string;
  /** A token, or how to get a fresh one: asked at first, before the present one ends, and when it is refused. */
  readonly token?: TokenOption | undefined;
  /** How to read: by a stream unless told; `longPoll().open` falls back on polls where streams do not come through. */
  readonly open?: OpenTransport | undefined;
  /** The most topics at once, 50 unless told. Beyond it, subscriptions of the lowest priority wait. */
  readonly topics?: number | undefined;
  /** The most streams at once, 3 unless told: one for all topics, and others where one topic is read in several ways. */
  readonly streams?: number | undefined;
  /** Told of what goes wrong where nobody else can be told: what an observer threw, what no server should send. Else `console.error`. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Told every event, before its subscriptions are. */
  readonly onEvent?: ((event: Event) => void) | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly environment?: Environment | undefined;
  /** ms since 1970 */
  readonly clock?: (() => number) | undefined;
  /** 0 to 1, 1 excluded */
  readonly random?: (() => number) | undefined;
}

export interface Link {
  /**
   * Subscribes to a topic. The first subscription opens the connection, and with the last one it ends.
   * @example
   * ```ts
   * const lobby = link.subscribe('chat:lobby', { last: 20 }, { onEvent: (event) => show(event.data) });
   * for await (const event of link.subscribe('orders')) console.log(event.type);
   * ```
   */
  readonly subscribe: Subscribe;
  /** Whether anybody subscribes to the topic. */
  readonly reads: (topic: string) => boolean;
  readonly request: Request;
  readonly status: Status;
  /** @returns how to stop observing */
  observe(listener: () => void): () => void;
  /** Asks for another token, and tries again what was refused. */
  renewToken(): Promise<void>;
  /** Whatever `open` opens now is another transport: opens anew, at once. */
  reopen(): void;
  /** Ends the connection and all subscriptions. There is no way back: make another. */
  close(): void;
}

const TOPICS = 50;
const STREAMS = 3;

/**
 * Makes a connection: one stream for the topics that are subscribed to, opened with the first of them, and again whenever it is lost.
 * Another stream is opened where one topic is read in two ways.
 */
export function connect(options: ConnectOptions): Link {
  const { clock = Date.now, random = Math.random, environment = createEnvironment() } = options;
  const onError = options.onError ?? console.error;
  const url = options.url.replace(/\/+$/, '');
  // Looked up at each call, so that whoever replaces it later is heeded; called bare, as browsers want it.
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const token = createToken(options.token, onError);
  const request = createRequest({ url, fetch: send, token, clock });
  const listeners = createListeners(onError);
  let status: Status | undefined;

  function changed(): void {
    status = undefined;
    listeners.tell();
  }

  const subscriptions = createSubscriptions({
    request,
    token,
    clock,
    random,
    renewable: typeof options.token === 'function',
    open: options.open,
    onEvent: options.onEvent,
    topics: options.topics ?? TOPICS,
    streams: options.streams ?? STREAMS,
    onChange: changed,
    onError,
  });
  const stops = subscriptions.connections.map((connection) => environment.listen(connection));

  function read(): Status {
    const { state, ...view } = subscriptions.view();
    return {
      ...view,
      state: state.kind,
      attempts: state.kind === 'reconnecting' ? state.failures : 0,
      trouble: state.trouble,
    };
  }

  return {
    subscribe: subscriptions.subscribe,
    reads: subscriptions.reads,
    request,
    get status() {
      status ??= read();
      return status;
    },
    observe: listeners.add,
    async renewToken() {
      await token.renew();
      subscriptions.retryRefused();
    },
    reopen: subscriptions.reopen,
    close() {
      for (const stop of stops) stop();
      subscriptions.close();
    },
  };
}
