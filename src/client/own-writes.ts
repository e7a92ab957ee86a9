/** The writes of a client as its records see them: at once when they are made, and not only when the outbox has stored them. */
import { createListeners } from './listeners.ts';
import type { Mutation, MutationChange, Write } from './mutation.ts';
import { mutationKey } from './mutation.ts';
import { laneOf } from './outbox/lanes.ts';
import type { Enqueued, Outbox } from './outbox/outbox.ts';

export interface OwnWrites {
  /** Those that are kept now, those that are only being stored among them. */
  readonly all: Iterable<Mutation>;
  enqueue(write: Write): Enqueued;
  listen(listener: (change: MutationChange) => void): () => void;
  /** A record shows a write: it has not to be waited for. */
  shown(mutation: Mutation): void;
}

/** The place of what is not stored yet: after everything that is. */
const LAST = Number.MAX_SAFE_INTEGER / 2;

/**
 * @param clock ms since 1970
 * @param onError told what a listener threw
 */
export function createOwnWrites(outbox: Outbox, clock: () => number, onError: (error: unknown) => void): OwnWrites {
  const drafts = new Map<string, Mutation>();
  const { add: listen, tell } = createListeners<[MutationChange]>(onError);
  let count = 0;

  outbox.observe((change) => {
    drafts.delete(change.mutation.id);
    tell(change);
  });

  return {
    get all() {
      return [...outbox.pending(), ...outbox.deadLetters(), ...drafts.values()];
    },
    enqueue(write) {
      const enqueued = outbox.enqueue(write);
      const { id, queued } = enqueued;
      count += 1;
      const rest = { state: 'pending', revision: 0, attempts: 0, enqueued: clock() } as const;
      const draft: Mutation = { id, order: LAST + count, lane: laneOf(write, id), write, ...rest };
      drafts.set(id, draft);
      tell({ kind: 'changed', mutation: draft });
      // What could not be stored is not shown either. Whoever wrote it is told by the promise itself.
      queued.catch(() => {
        if (drafts.delete(id)) tell({ kind: 'gone', mutation: draft, why: 'discarded' });
      });
      return enqueued;
    },
    listen,
    shown: (mutation) => outbox.settle(mutationKey(mutation)),
  };
}
