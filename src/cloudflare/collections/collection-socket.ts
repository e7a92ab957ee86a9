/** The Worker's end of the WebSocket to the object of collections. */
import { reach } from '../away.ts';
import type { ReadRequest } from '../topic-frames.ts';
import { readFrom, readHeaders, type TopicSocket, type TopicSocketObserver } from '../topic-socket.ts';
import { type CollectionBindings, collectionsOf } from './bindings.ts';

/** @throws StoreUnavailable, NotServed among them; ViewTooLarge, FilterMisfit */
export async function openCollectionSocket(
  bindings: CollectionBindings,
  read: ReadRequest,
  observer: TopicSocketObserver,
): Promise<TopicSocket> {
  const headers = readHeaders(read);
  return readFrom(
    await reach(collectionsOf(bindings).fetch('https://collections.sluice/', { headers })),
    read,
    observer,
  );
}
