/**
 * One connection: keeps a transport open for the topics that are wanted, whatever happens to the line.
 *
 * `state.ts` decides when to try; this does it, and finds out that the line is dead and that the token ends. Whether it is read by streams or
 * by polls is its `open`'s to decide (`fallback.ts`). What is wanted, and from where each topic is to be read, it asks its observer each time,
 * so nothing here can be out of date.
 */
import type { Signals } from '../environment.ts';
import type { Request } from '../request.ts';
import type { Token } from '../token.ts';
import { isFinal } from './answers.ts';
import { createLineWatch } from './line-watch.ts';
import { type ConnectionEvent, type ConnectionState, step } from './state.ts';
import { openStream } from './stream-transport.ts';
import { createTopicSync, type WantedTopic } from './topic-sync.ts';
import type { OpenTransport, RefusedTopic, Transport, TransportEnd, TransportObserver } from './transport.ts';

export interface ConnectionObserver extends Omit<TransportObserver, 'open' | 'expiring' | 'ended'> {
  wanted(): readonly WantedTopic[];
  /** The state, the transport or what is known of the line has changed. */
  changed(): void;
  /** The server does not serve this topic, or only its presence, to this client; it must not be wanted any more. */
  refused(topic: string, code: string, presence?: boolean): void;
  /** The server allows fewer topics than are wanted. */
  tooMany(topics: number): void;
}

export interface ConnectionContext {
  readonly request: Request;
  readonly token: Token;
  /** ms since 1970 */
  readonly clock: () => number;
  /** 0 to 1, 1 excluded */
  readonly random: () => number;
  /** How to read: by a stream unless told. */
  readonly open?: OpenTransport | undefined;
  /** Whether a fresh token can be had: else a refusal of the token is final. */
  readonly renewable: boolean;
}

/** What is known of a connection. */
export interface ConnectionView {
  readonly state: ConnectionState;
  readonly transport: Transport['kind'] | undefined;
  /** ms since 1970 */
  readonly lastHeartbeat: number | undefined;
}

export interface Connection extends Omit<Signals, 'sleep'> {
  view(): ConnectionView;
  /** What is wanted may have changed. */
  update(): void;
  /** Who reads for it has changed: opens anew, at once. */
  reopen(): void;
}

/** What was a line is none any more. */
const SILENT: TransportEnd = { trouble: { kind: 'lost', why: 'silent' } };

/** How long it may take until a line works, in ms. */
const OPENING_MS = 10_000;

/** A token is not renewed twice within so many ms. */
const RENEW_MS = 15_000;

/** How long an answer that is to show that the server is there may take, in ms. */
const PROBE_TIMEOUT_MS = 4000;

export function createConnection(observer: ConnectionObserver, context: ConnectionContext): Connection {
  const { request, token, clock, random, renewable, open: openTransport = openStream } = context;
  let state: ConnectionState = { kind: 'disconnected' };
  let transport: Transport | undefined;
  let lastHeartbeat: number | undefined;
  let renewedAt = 0;
  let wasOffline = false;
  /** Until the next attempt, while it waits for that; then until the line that is opened has to work. */
  let timer: ReturnType<typeof setTimeout> | undefined;

  const watch = createLineWatch({
    clock,
    // A poll is a request with a time-out of its own, and another tab watches its own line.
    lastHeard: () => (transport?.kind === 'stream' ? transport.lastHeard() : undefined),
    onSilent: () => end(SILENT),
    onPause: () => {
      transport?.paused?.();
      dispatch({ kind: 'wake' });
    },
  });
  const sync = createTopicSync(observer.wanted, (of, how, topics) => {
    if (of === transport) end({ ...how, retryAfter: 0 }, topics);
  });

  function dispatch(event: ConnectionEvent): void {
    const before = state;
    const next = step(before, event, { now: clock(), random });
    state = next.state;
    const { command } = next;
    if (command === 'probe') void probe();
    else if (command) clearTimeout(timer);
    if (command === 'open') open();
    else if (command === 'abort') abort();
    else if (typeof command === 'object') timer = setTimeout(() => dispatch({ kind: 'due' }), command.wait);
    if (state !== before) observer.changed();
  }

  function open(): void {
    abort();
    const requests = sync.begin(observer.wanted());
    transport = openTransport(requests, heard, context);
    timer = setTimeout(() => end({ trouble: { kind: 'unreachable', why: 'timeout' } }), OPENING_MS);
    observer.changed();
  }

  /** Told by the one transport that there is: one that was let go of says nothing more. */
  const heard: TransportObserver = {
    ...observer,
    open() {
      clearTimeout(timer);
      watch.start();
      dispatch({ kind: 'opened' });
      void sync.update(transport);
    },
    heartbeat(beat) {
      lastHeartbeat = clock();
      observer.heartbeat(beat);
      observer.changed();
    },
    expiring: () => void renew(),
    ended: (how) => end(how),
  };

  /** Lets go of the transport, and of all that belongs to it. */
  function abort(): void {
    clearTimeout(timer);
    watch.stop();
    transport?.close();
    transport = undefined;
  }

  /** @param topics those that it is about: all, or those that were to be added */
  function end(how: TransportEnd, topics: readonly RefusedTopic[] = observer.wanted()): void {
    const { trouble, retryAfter, refused = [] } = how;
    abort();
    const final = isFinal(trouble) ? trouble : undefined;
    // The whole token is refused, and not some topics for the want of one.
    const isOfToken = final?.status === 401 && refused.length === 0;
    dispatch(isOfToken && !renewable ? { kind: 'refused', trouble } : { kind: 'failed', trouble, retryAfter });
    if (!final || isOfToken) return;
    const { code } = final;
    const left = observer.wanted().length;
    const isTooMany = code === 'too-many-topics';
    if (isTooMany) observer.tooMany(left - 1);
    // Where the server does not say which, it is any of them: then it may be the only one there is.
    const named = isTooMany ? [] : refused.length > 0 || topics.length > 1 ? refused : topics;
    for (const { topic, presence } of named) observer.refused(topic, code, presence);
    // Without those topics it may work at once; else it is another matter, and has its time.
    if (named.length > 0 || observer.wanted().length < left) dispatch({ kind: 'wake' });
  }

  /** Whether the line lives, after something that may have ended it. */
  async function probe(): Promise<void> {
    const probed = transport;
    const heard = probed?.lastHeard();
    const silent = watch.silent();
    if (!silent) {
      const { kind } = await request('GET', '/healthz', { timeout: PROBE_TIMEOUT_MS });
      if (kind === 'ok' || kind === 'refused' || probed !== transport || probed?.lastHeard() !== heard) return;
    }
    // Where only the line is known to be dead, there may be another at once.
    end({ ...SILENT, retryAfter: silent ? 0 : undefined });
  }

  /** Puts the stream under a fresh token before the present one ends. */
  async function renew(): Promise<void> {
    const renewed = transport;
    // The notice of a token that lives shorter comes at once, again and again.
    if (clock() - renewedAt < RENEW_MS) return;
    renewedAt = clock();
    const used = await token.get();
    const fresh = typeof used === 'string' && (await token.renew(used));
    // Without another one the server ends the stream in time, and the next attempt shows what comes of it.
    if (fresh === false || fresh === used || renewed !== transport) return;
    if ((await renewed?.renew()) !== false || renewed !== transport) return;
    end({ trouble: { kind: 'closed', reason: 'expired' }, retryAfter: 0 });
  }

  return {
    view: () => ({ state, transport: transport?.kind, lastHeartbeat }),
    update() {
      const wanted = observer.wanted().length > 0;
      dispatch({ kind: wanted ? 'connect' : 'disconnect' });
      if (state.kind === 'connected') void sync.update(transport);
    },
    wake: () => dispatch({ kind: 'wake' }),
    reopen() {
      if (state.kind === 'connected') end({ ...SILENT, retryAfter: 0 });
      else if (transport) open();
      dispatch({ kind: 'wake' });
    },
    network() {
      // A line through a network that was gone is most likely dead, and would be found so only when heartbeats are missed.
      if (wasOffline && state.kind === 'connected') end({ ...SILENT, retryAfter: 0 });
      wasOffline = false;
      dispatch({ kind: 'wake' });
    },
    offline() {
      wasOffline = true;
      dispatch({ kind: 'offline' });
    },
  };
}
