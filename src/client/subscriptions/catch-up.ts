/** History for one subscription, read by pages while the stream that it will join is live already. */
import { parseCompoundCursor, parseCursor, positionsOf } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import { readPage } from '../connection/page.ts';
import type { TransportEnd } from '../connection/transport.ts';
import type { Request } from '../request.ts';
import type { LiveSubscription } from './live-subscription.ts';
import { endOfGap } from './wire.ts';

/**
 * Reads all there is, from where the subscription stands, and gives it to it.
 *
 * @param wanted whether it still is to be read
 * @param onEvent told every event, before the subscription is
 * @returns why it could not be read; what is not wanted any more is left, and may be read from the place that was reached
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
    if (!topic) break;
    const page = await readPage(request, [topic]);
    if (!wanted()) break;
    if ('trouble' in page) return page;
    const { gap, events, cursor, more } = page;
    if (gap) subscription.miss(gap, endOfGap(gap));
    for (const event of events) {
      const at = parseCursor(event.id ?? '');
      if (!at) continue;
      onEvent?.(event);
      subscription.take(event, at);
    }
    const [end] = positionsOf(subscription.topic, parseCompoundCursor(cursor) ?? []);
    if (end) subscription.reach(end);
    if (!more) break;
  }
  return undefined;
}
