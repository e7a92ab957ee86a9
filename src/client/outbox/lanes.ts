/** Which mutation may be sent next: the first of each lane, of lanes that are free. */
import type { Mutation, Write } from '../mutation.ts';

/**
 * The lane of a write. What is published to a topic is one lane, and what is done to a record. A record that is created without a key is
 * alone in its lane: nothing can refer to it yet.
 */
export function laneOf(write: Write, id: string): string {
  if (write.kind === 'publish') return `topic:${write.topic}`;
  return write.key === undefined ? `create:${id}` : `record:${write.collection}/${write.key}`;
}

/** The topic whose stream shows the write once it was applied. */
export function topicOf(write: Write): string {
  return write.kind === 'publish' ? write.topic : write.collection;
}

/** Whether it is still to be sent, or to be sent again. */
export function isWaiting({ state }: Mutation): boolean {
  return state === 'pending' || state === 'in-flight';
}

export interface Choice {
  readonly send: readonly Mutation[];
  /** When there may be another one to send, in ms since 1970; infinity when nobody waits for a time. */
  readonly due: number;
}

/**
 * Chooses what to send. Within a lane the order of enqueueing holds: the next one is not sent before the outcome of the one before is known.
 * What is acknowledged or dead holds up nobody: the writes after a dead letter go on, also where they were meant to build on it.
 *
 * @param mutations in order
 * @param readyAt from when on a lane may send, in ms since 1970; infinity while it is sending
 * @param room how many may be sent at most
 */
export function chooseNext(
  mutations: Iterable<Mutation>,
  readyAt: (lane: string) => number,
  now: number,
  room: number,
): Choice {
  const seen = new Set<string>();
  const send: Mutation[] = [];
  let due = Number.POSITIVE_INFINITY;
  for (const mutation of mutations) {
    const { lane } = mutation;
    if (!isWaiting(mutation) || seen.has(lane)) continue;
    seen.add(lane);
    const ready = readyAt(lane);
    if (ready > now) due = Math.min(due, ready);
    else if (send.length < room) send.push(mutation);
  }
  return { send, due };
}
