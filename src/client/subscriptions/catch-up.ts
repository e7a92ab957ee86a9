/** History for one subscription, read by pages while the stream that it will join is live already. */
import { parseCompoundCursor, parseCursor, positionsOf } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import { readPage } from '../connection/page.ts';
import type { TransportEnd } from '../connection/transport.ts';
import type { Request } from '../request.ts';
import type { LiveSubscription } from './live-subscription.ts';

/**
 * Reads all there is, from where the subscription stands, and gives it to it.
 *
 * @param wanted whether it still is to be read
 * @param onEvent told every event, before the subscription is
 * @returns why not all was read
 */
export async function catchUp(
  subscription: LiveSubscription,
  request: Request,
  wanted: () => boolean,
  onEvent?: ((event: Event) => void) | undefined,
): Promise<TransportEnd | undefined> {
  // A loop over the subscription may be slower than the server: then it is wanted no more for a while.
  for (;;) {
    const topic = subscription.history();
    if (topic === undefined) break;
    const page = await readPage(request, [topic]);
    if (!wanted()) break;
    if ('trouble' in page) return page;
    const { gap, events, cursor, more } = page;
    if (gap !== undefined) subscription.miss(gap, parseCursor(gap.reason === 'ahead' ? gap.latest : gap.oldest));
    for (const event of events) {
      const at = parseCursor(event.id ?? '');
      if (at === undefined) continue;
      onEvent?.(event);
      subscription.take(event, at);
    }
    const [end] = positionsOf(subscription.topic, parseCompoundCursor(cursor) ?? []);
    if (end !== undefined) subscription.reach(end);
    if (!more) break;
  }
  return undefined;
}
