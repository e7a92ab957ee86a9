/**
 * The outbox: writes that wait for the server, and survive until it has answered.
 *
 * **Once.** A write that was taken (`queued`) is applied exactly once, or is a dead letter: it is sent under one idempotency key until the
 * server has answered, by whichever tab drains, also after a crash. Where the server can have forgotten the key, it is not sent again by
 * itself. Events that are ephemeral have no such key: they may come twice.
 * **Order.** Per topic and per record, in the order of enqueueing, one after the other; among them, four at a time. A dead letter lets
 * pass what is behind it.
 * **Limit.** 1,000 mutations unless told, dead letters among them. What does not fit is refused (`full`), and nothing is dropped.
 * **Identity.** An outbox belongs to one user of one server, and so does its name. When another user comes, close it before their token
 * is used: nothing is sent after `close`.
 */
import {
  type Mutation,
  type MutationAnswer,
  type MutationChange,
  mutationKey,
  mutationOf,
  type Write,
} from '../mutation.ts';
import type { Request } from '../request.ts';
import type { Resolve } from './conflict.ts';
import { createDrain, type Drain } from './drain.ts';
import { isWaiting, laneOf } from './lanes.ts';
import { createMirror } from './mirror.ts';
import { OutboxError } from './outbox-error.ts';
import type { LaneChange, OutboxStore } from './store.ts';
import { toRequest } from './to-request.ts';
import { discard, revive, settle } from './transitions.ts';
import { type Locks, takeTurn } from './turn.ts';

/** What other tabs are told by: a `BroadcastChannel`. */
export interface Channel {
  onmessage: ((event: MessageEvent) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export interface OutboxEnvironment {
  /** ms since 1970 */
  readonly clock: () => number;
  /** from 0 up to 1 */
  readonly random: () => number;
  /** Makes an id that there is no other of: printable ASCII without a `.`, at most 180 characters. */
  readonly createId: () => string;
  /** Without these two, each tab drains by itself. */
  readonly locks?: Locks | undefined;
  readonly openChannel?: ((name: string) => Channel) | undefined;
}

export interface OutboxOptions {
  /** Of {@link outboxName}. */
  readonly name: string;
  readonly store: OutboxStore | Promise<OutboxStore>;
  readonly request: Request;
  readonly environment: OutboxEnvironment;
  /** The most mutations of all tabs; 1,000 unless told. */
  readonly limit?: number | undefined;
  /**
   * Whether a stream of any tab shows the events of a topic, so that an acknowledged write waits for it, for a minute at most. Nobody's
   * unless told: a write is settled as soon as it is acknowledged.
   */
  readonly watches?: ((topic: string) => boolean) | undefined;
  /** Without it, a conflict makes a dead letter. */
  readonly resolve?: Resolve | undefined;
  /** Told of what fails where nobody waits for it: the store, a resolver, a listener. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** How a write was confirmed. */
export type Confirmed = MutationAnswer;

/** A write that was given to the outbox. Neither promise has to be handled. */
export interface Enqueued {
  readonly id: string;
  /** Resolves when the write is stored. Rejects with an `OutboxError`: `full`, `quota`, `storage`, `closed`; `missing` of a dead letter. */
  readonly queued: Promise<void>;
  /**
   * Resolves when the server has applied it, to its answer. Rejects as `queued` does, and with `refused` or `uncertain` when it has become
   * a dead letter, `discarded`, or `closed`: the last says nothing of the write, which goes on when the outbox is opened again.
   */
  readonly confirmed: Promise<Confirmed>;
}

export interface Outbox {
  /** @throws TypeError, URIError when the write is no JSON, or names what no path can name */
  enqueue(write: Write): Enqueued;
  /** What is not yet confirmed or settled: pending, in flight or acknowledged. As far as this tab knows, in order. */
  pending(): readonly Mutation[];
  deadLetters(): readonly Mutation[];
  /** Sends a dead letter again. */
  retry(id: string): Enqueued;
  /** Sends another write in the place of a dead letter. */
  edit(id: string, write: Write): Enqueued;
  /**
   * Takes out a dead letter, or a write that was never sent.
   * @returns whether it did. @throws OutboxError `quota`, `storage`, `closed`
   */
  discard(id: string): Promise<boolean>;
  /** Calls a listener with what happens from now on; the first time that the store is read, with all that is there. @returns the end of it */
  observe(listener: (change: MutationChange) => void): () => void;
  /**
   * An event was seen that this key caused, or a list that has its effect (of an acknowledged record, this version or a later one):
   * to be called for every event with a `mutation`, of other clients too.
   */
  settle(key: string): void;
  /** The network, the stream, or a new token is there: tries at once what waits to be tried again. */
  wake(): void;
  /** Lets another tab drain, because this one is about to be frozen; what it has sent is sent again. Until `resume`. */
  suspend(): void;
  resume(): void;
  /** Stops at once. What is stored stays. */
  close(): void;
}

/** The most keys of events that are remembered until their request is answered. */
const MAX_SHOWN = 1000;

/** How often a tab looks whether a write of its own was confirmed by another, in ms, in case it was not told. */
const LOOK_MS = 5000;

/** The name of the outbox of a user. @param url where the API is mounted @param user whose writes they are: the token's `sub` */
export function outboxName(url: string, user: string | undefined): string {
  return `sluice-outbox:${JSON.stringify([url, user])}`;
}

interface Waiter {
  readonly resolve: (confirmed: Confirmed) => void;
  readonly reject: (error: OutboxError) => void;
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { name, request, environment, limit = 1000, watches = () => false, resolve, onError = () => {} } = options;
  const { clock, random, createId, locks, openChannel } = environment;
  const store = Promise.resolve(options.store);
  const { mutations, sync: read } = createMirror(store, tell);
  const waiters = new Map<string, Waiter>();
  const listeners = new Set<(change: MutationChange) => void>();
  /** Keys of events, the oldest first. Of most of them nobody here knows whose they are. */
  const shown = new Set<string>();
  let channel: Channel | undefined;
  let drain: Drain | undefined;
  let endTurn: (() => void) | undefined;
  let isOpen = false;
  let isClosed = false;
  let isSuspended = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function tell(change: MutationChange): void {
    const { mutation } = change;
    answerWaiter(change);
    if (change.kind === 'gone') shown.delete(mutationKey(mutation));
    else settleShown(mutation);
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        onError(error);
      }
    }
  }

  function answerWaiter(change: MutationChange): void {
    const { id, state, answer, refusal } = change.mutation;
    const waiter = waiters.get(id);
    if (waiter === undefined || (change.kind === 'changed' && isWaiting(change.mutation))) return;
    waiters.delete(id);
    if (state === 'acknowledged' && answer !== undefined) waiter.resolve(answer);
    else if (change.kind === 'gone' && change.why === 'discarded') waiter.reject(new OutboxError('discarded'));
    // What is gone without an answer went while this tab slept, and with it the answer.
    else waiter.reject(new OutboxError(refusal?.kind ?? 'uncertain', { problem: refusal?.problem }));
  }

  function settleShown(mutation: Mutation): void {
    const key = mutationKey(mutation);
    if (isWaiting(mutation) || !shown.has(key)) return;
    apply(mutation.lane, settle(key)).catch(onError);
  }

  /** Reads what has changed, and goes on from there. Never rejects. */
  async function sync(): Promise<void> {
    let failed = false;
    await read().catch((error: unknown) => {
      failed = true;
      if (!isClosed) onError(error);
    });
    if (isClosed) return;
    drain?.look();
    // What others do is told, but that can be lost; so can what they are told.
    if (timer === undefined && (failed || (drain === undefined && waiters.size > 0)))
      timer = setTimeout(() => {
        timer = undefined;
        nudge();
        void sync();
      }, LOOK_MS);
  }

  function nudge(): void {
    channel?.postMessage(null);
  }

  async function change(lane: string, laneChange: LaneChange): Promise<readonly MutationChange[]> {
    const opened = await store;
    if (isClosed) throw new OutboxError('closed');
    const changes = await opened.update(lane, laneChange);
    if (changes.length > 0) nudge();
    return changes;
  }

  async function apply(lane: string, laneChange: LaneChange): Promise<readonly MutationChange[]> {
    const changes = await change(lane, laneChange);
    await sync();
    return changes;
  }

  /** @param keep stores it */
  function track(id: string, keep: () => Promise<void>): Enqueued {
    const { promise: confirmed, resolve, reject } = Promise.withResolvers<Confirmed>();
    const queued = keep().then(() => {
      if (isClosed) return reject(new OutboxError('closed'));
      waiters.set(id, { resolve, reject });
      void sync();
    });
    queued.catch(reject);
    confirmed.catch(() => {});
    return { id, queued, confirmed };
  }

  function reviveAs(id: string, edited?: Write): Enqueued {
    return track(id, async () => {
      // Another tab may have made it a dead letter just now.
      await sync();
      const lane = mutations.get(id)?.lane;
      const changes = lane === undefined ? [] : await change(lane, revive(id, clock(), edited));
      if (changes.length === 0) throw new OutboxError(isClosed ? 'closed' : 'missing');
    });
  }

  function beginDrain(): () => void {
    const all = () => mutations.values();
    const isShown = (key: string) => shown.has(key);
    const begun = createDrain({ mutations: all, apply, request, clock, random, watches, isShown, resolve, onError });
    drain = begun;
    void sync();
    return () => {
      begun.stop();
      if (drain === begun) drain = undefined;
    };
  }

  /** A lock without a channel would leave the one that drains without a word of what the others enqueue. */
  function resume(): void {
    isSuspended = false;
    if (!isOpen || isClosed) return;
    endTurn ??= takeTurn(name, channel && locks, beginDrain, onError);
    wake();
  }

  function suspend(): void {
    isSuspended = true;
    endTurn?.();
    endTurn = undefined;
  }

  function wake(): void {
    drain?.wake();
    void sync();
  }

  async function open(): Promise<void> {
    const { shared } = await store;
    if (isClosed) return;
    if (shared) channel = openChannel?.(name);
    if (channel !== undefined) channel.onmessage = () => void sync();
    isOpen = true;
    if (isSuspended) await sync();
    else resume();
  }

  open().catch(onError);

  return {
    enqueue(write) {
      const id = createId();
      // What the application changes afterwards is not what was enqueued; and what cannot be sent must not be stored.
      const copy: Write = JSON.parse(JSON.stringify(write));
      toRequest({ id, revision: 0, write: copy });
      return track(id, async () => {
        const opened = await store;
        if (isClosed) throw new OutboxError('closed');
        const lane = laneOf(copy, id);
        const draft = { id, lane, write: copy, state: 'pending', revision: 0, attempts: 0, enqueued: clock() } as const;
        if (!(await opened.add(draft, limit))) throw new OutboxError('full');
        nudge();
      });
    },
    pending: () => [...mutations.values()].filter(({ state }) => state !== 'dead'),
    deadLetters: () => [...mutations.values()].filter(({ state }) => state === 'dead'),
    retry: (id) => reviveAs(id),
    edit(id, write) {
      const copy: Write = JSON.parse(JSON.stringify(write));
      toRequest({ id, revision: 0, write: copy });
      return reviveAs(id, copy);
    },
    async discard(id) {
      await sync();
      const lane = mutations.get(id)?.lane;
      return lane !== undefined && (await apply(lane, discard(id))).length > 0;
    },
    observe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    settle(key) {
      shown.add(key);
      if (shown.size > MAX_SHOWN) for (const oldest of [...shown].slice(0, 1)) shown.delete(oldest);
      const mutation = mutations.get(mutationOf(key));
      if (mutation !== undefined && mutationKey(mutation) === key) settleShown(mutation);
    },
    wake,
    suspend,
    resume,
    close() {
      if (isClosed) return;
      suspend();
      isClosed = true;
      clearTimeout(timer);
      channel?.close();
      for (const { reject } of waiters.values()) reject(new OutboxError('closed'));
      waiters.clear();
      store.then((opened) => opened.close()).catch(() => {});
    },
  };
}
