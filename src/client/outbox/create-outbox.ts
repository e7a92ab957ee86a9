/** The outbox of one tab: puts what it knows of the store, its turn at draining, and those who wait for an answer together. */
import { createListeners } from '../listeners.ts';
import { type Mutation, mutationOf, type Write } from '../mutation.ts';
import { createDrain, type Drain } from './drain.ts';
import { isWaiting, laneOf } from './lanes.ts';
import { createLedger, type Decide } from './ledger.ts';
import type { Channel, Confirmed, Enqueued, Outbox, OutboxOptions } from './outbox.ts';
import { OutboxError, type OutboxErrorCode } from './outbox-error.ts';
import type { Kept, OutboxStore } from './store.ts';
import { discard, revive } from './transitions.ts';

/** The place of what is not stored yet: after everything that is. */
const LAST = Number.MAX_SAFE_INTEGER / 2;

/** The most keys of events that are remembered until their request is answered. */
const MAX_SHOWN = 1000;

/**
 * How often a tab looks whether a write of its own was confirmed by another, in ms: it is told, but that can be lost. And when it looks again
 * after the store has failed.
 */
const LOOK_MS = 5000;

/** The longest time between two looks while anything waits, in ms: timers of a page that sleeps do not count its time. */
const LONGEST_MS = 30_000;

/**
 * What a write makes of a mutation: the write as it is now, since what the application does to it afterwards was not enqueued.
 * @throws TypeError, URIError when it could not be sent
 */
function copyOf(given: Write, id: string) {
  const write: Write = JSON.parse(JSON.stringify(given));
  const base = 'base' in write ? write.base : 'version' in write ? write.version : undefined;
  return { write, lane: laneOf(write, id), base };
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { name, store, limit = 1000, onError } = options;
  const { clock, createId, locks, openChannel } = options.environment;
  const waiters = new Map<string, PromiseWithResolvers<Confirmed>>();
  const listeners = createListeners<[Mutation]>(onError);
  /** Keys of events, the oldest first. Of most of them nobody here knows whose they are. */
  const shown = new Set<string>();
  /** Those that are only being stored. */
  const drafts = new Map<string, Mutation>();
  let channel: Channel | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends this tab's turn at draining, or its waiting for it. */
  let turn: AbortController | undefined;
  let drain: Drain | undefined;
  let isClosed = false;
  let isSuspended = false;
  let isReading = false;
  let count = 0;

  const ledger = createLedger(opened, clock, shown, tell, (changed) => {
    if (changed) nudge();
    look();
  });
  const { all, step } = ledger;

  async function opened(): Promise<OutboxStore> {
    const given = await store;
    if (isClosed) throw new OutboxError('closed');
    return given;
  }

  function tell(mutation: Kept): void {
    const { id, gone, answer, refusal } = mutation;
    const waiter = waiters.get(id);
    if (waiter && (gone || !isWaiting(mutation))) {
      waiters.delete(id);
      if (answer) waiter.resolve(answer);
      // What is gone without an answer went while this tab slept, and with it the answer.
      else waiter.reject(new OutboxError(gone === 'discarded' ? gone : (refusal?.kind ?? 'uncertain'), refusal));
    }
    drafts.delete(id);
    listeners.tell(mutation);
  }

  function nudge(): void {
    channel?.postMessage(null);
  }

  /** Learns what others have changed, and goes on from there. */
  function read(): void {
    // All who ask before it begins share it.
    if (isReading) return;
    isReading = true;
    const begin = () => {
      isReading = false;
      return undefined;
    };
    step('', begin).catch((error: unknown) => {
      begin();
      if (isClosed) return;
      onError(error);
      look(LOOK_MS);
    });
  }

  /** @param wait how long until it looks again, in ms, whatever there is to do */
  function look(wait?: number): void {
    clearTimeout(timer);
    const due = wait ?? (drain ? drain.look() : waiters.size > 0 ? LOOK_MS : Number.POSITIVE_INFINITY);
    if (due === Number.POSITIVE_INFINITY || isClosed) return;
    timer = setTimeout(
      () => {
        nudge();
        read();
      },
      Math.min(LONGEST_MS, due),
    );
  }

  /** @param code why, when nothing becomes of it */
  function track(id: string, decide: Decide, code: OutboxErrorCode): Enqueued {
    const waiter = Promise.withResolvers<Confirmed>();
    const { promise: confirmed, reject } = waiter;
    const queued = step(id, decide).then((kept) => {
      if (!kept) throw new OutboxError(code);
      if (isClosed) return reject(new OutboxError('closed'));
      waiters.set(id, waiter);
      look();
    });
    queued.catch(reject);
    // Neither has to be handled: see `Enqueued`.
    confirmed.catch(() => {});
    return { id, queued, confirmed };
  }

  /** @param edited in the place of the dead letter */
  function again(id: string, edited?: Write): Enqueued {
    return track(id, revive(clock(), edited && copyOf(edited, id)), 'missing');
  }

  /** A lock without a channel would leave the one that drains without a word of what the others enqueue. */
  function takeTurn(): void {
    if (!isSuspended && !turn) {
      turn = new AbortController();
      const { signal } = turn;
      const begin = () =>
        new Promise<void>((end) => {
          if (signal.aborted) return end();
          signal.onabort = () => end();
          drain = createDrain(options, ledger, signal, look);
          read();
        });
      // Where locks cannot be had, each tab drains by itself; after an abort, `begin` ends at once.
      if (locks && channel) locks.request(name, { signal }, begin).catch(begin);
      else void begin();
    }
    wake();
  }

  function suspend(): void {
    isSuspended = true;
    turn?.abort();
    turn = undefined;
    drain = undefined;
  }

  function wake(): void {
    drain?.hurry();
    read();
  }

  const isOpen = store.then(({ shared }) => {
    if (isClosed) return;
    if (shared) channel = openChannel?.(name);
    if (channel) channel.onmessage = read;
  });
  isOpen.then(takeTurn).catch(onError);

  return {
    enqueue(write) {
      const id = createId();
      const state = 'pending';
      const draft = { id, ...copyOf(write, id), state, revision: 0, attempts: 0, enqueued: clock() } as const;
      const enqueued = track(id, (_, { length }) => (length < limit ? draft : undefined), 'full');
      count += 1;
      const shown = { ...draft, order: LAST + count };
      drafts.set(id, shown);
      listeners.tell(shown);
      // What could not be stored is not shown either. Whoever wrote it is told by the promise itself.
      enqueued.queued.catch(() => drafts.delete(id) && listeners.tell({ ...shown, gone: 'discarded' }));
      return enqueued;
    },
    pending: () => [...all().filter(({ state }) => state !== 'dead'), ...drafts.values()],
    deadLetters: () => all().filter(({ state }) => state === 'dead'),
    retry: again,
    edit: again,
    discard: async (id) => (await step(id, discard)) !== undefined,
    observe: listeners.add,
    settle(key) {
      shown.add(key);
      const [oldest = key] = shown;
      if (shown.size > MAX_SHOWN) shown.delete(oldest);
      if (ledger.known.has(mutationOf(key))) read();
    },
    wake,
    suspend,
    resume() {
      isSuspended = isClosed;
      isOpen.then(takeTurn).catch(onError);
    },
    close() {
      suspend();
      isClosed = true;
      clearTimeout(timer);
      channel?.close();
      for (const { reject } of waiters.values()) reject(new OutboxError('closed'));
      waiters.clear();
      void store.then(({ close }) => close());
    },
  };
}
