/** The outbox of one tab: puts the store, what this tab knows of it, its turn at draining, and those who wait for an answer together. */
import { type Mutation, type MutationChange, mutationKey, mutationOf, type Write } from '../mutation.ts';
import { createDrain, type Drain } from './drain.ts';
import { isWaiting, laneOf } from './lanes.ts';
import { createMirror } from './mirror.ts';
import type { Channel, Confirmed, Enqueued, Outbox, OutboxOptions } from './outbox.ts';
import { OutboxError } from './outbox-error.ts';
import type { LaneChange, OutboxStore } from './store.ts';
import { toRequest } from './to-request.ts';
import { discard, revive, settle } from './transitions.ts';
import { takeTurn } from './turn.ts';

/** The most keys of events that are remembered until their request is answered. */
const MAX_SHOWN = 1000;

/** How often a tab looks whether a write of its own was confirmed by another, in ms, in case it was not told. */
const LOOK_MS = 5000;

interface Waiter {
  readonly resolve: (confirmed: Confirmed) => void;
  readonly reject: (error: OutboxError) => void;
}

/**
 * A write as it is now: what the application does to it afterwards was not enqueued.
 * @throws TypeError, URIError when it could not be sent
 */
function copyOf(write: Write): Write {
  const copy: Write = JSON.parse(JSON.stringify(write));
  toRequest({ id: '', revision: 0, write: copy });
  return copy;
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { name, limit = 1000, onError = () => {} } = options;
  const { clock, createId, locks, openChannel } = options.environment;
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

  async function opened(): Promise<OutboxStore> {
    const given = await store;
    if (isClosed) throw new OutboxError('closed');
    return given;
  }

  async function change(lane: string, laneChange: LaneChange): Promise<readonly MutationChange[]> {
    const changes = await (await opened()).update(lane, laneChange);
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

  function list(dead: boolean): readonly Mutation[] {
    return [...mutations.values()].filter(({ state }) => (state === 'dead') === dead);
  }

  function beginDrain(): () => void {
    const begun = createDrain(options, { mutations, apply, shown, onError });
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
      const copy = copyOf(write);
      return track(id, async () => {
        const state = 'pending';
        const draft = {
          id,
          lane: laneOf(copy, id),
          write: copy,
          state,
          revision: 0,
          attempts: 0,
          enqueued: clock(),
        } as const;
        if (!(await (await opened()).add(draft, limit))) throw new OutboxError('full');
        nudge();
      });
    },
    pending: () => list(false),
    deadLetters: () => list(true),
    retry: (id) => reviveAs(id),
    edit: (id, write) => reviveAs(id, copyOf(write)),
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
      const [oldest = key] = shown;
      if (shown.size > MAX_SHOWN) shown.delete(oldest);
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
