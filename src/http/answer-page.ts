/** Answering with one page of events, at once or as a long poll (protocol section 2). */
import type { SubscribeRequest } from '../broker/broker.ts';
import { PageCollector } from '../delivery/page-collector.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { RequestContext, Services } from './services.ts';

/** How long a page may take to read, beyond what it waits for events, in ms. */
const READ_MS = 5000;

export async function answerPage(
  c: RequestContext,
  { broker }: Services,
  requests: readonly SubscribeRequest[],
  { limit, waitSeconds }: { readonly limit: number; readonly waitSeconds: number },
): Promise<Response> {
  const subscriptions = await broker.subscribe(requests);
  const collector = new PageCollector(subscriptions, { limit, wait: waitSeconds > 0 });
  const { signal } = c.req.raw;
  const expire = () => collector.expire();
  const timer = setTimeout(expire, waitSeconds > 0 ? waitSeconds * 1000 : READ_MS);
  signal.addEventListener('abort', expire);
  try {
    const page = await collector.collect();
    if (page.kind === 'unavailable') throw new StoreUnavailable('a page could not be read in time');
    // Every event is JSON text already; only the frame around them is written here.
    const events = page.events.map(({ json }) => json).join(',');
    const rest = JSON.stringify({ cursor: page.cursor, more: page.more, gap: page.gap }).slice(1);
    c.header('Vary', 'Accept', { append: true });
    c.header('Cache-Control', 'no-store');
    const body = new TextEncoder().encode(`{"events":[${events}],${rest}`);
    // Its length tells the compression whether it is worth while.
    return c.body(body, 200, { 'Content-Type': 'application/json', 'Content-Length': String(body.byteLength) });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', expire);
  }
}
