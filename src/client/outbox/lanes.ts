/** Lanes: writes of one are sent one after the other. */
import type { Mutation, Write } from '../mutation.ts';

/**
 * The lane of a write: the path of the topic's events, or of the record. A record that is created without a key is alone in its lane: nothing
 * can refer to it yet.
 *
 * @throws URIError when no path can name it
 */
export function laneOf(write: Write, id: string): string {
  const path =
    write.kind === 'publish' ? ['topics', write.topic, 'events'] : ['collections', write.collection, write.key ?? id];
  return `/v1/${path.map(encodeURIComponent).join('/')}`;
}

/** The topic whose stream shows the write once it was applied. */
export function topicOf(write: Write): string {
  return write.kind === 'publish' ? write.topic : write.collection;
}

/** Whether it is still to be sent, or to be sent again. */
export function isWaiting({ state }: Mutation): boolean {
  return state === 'pending' || state === 'in-flight';
}
