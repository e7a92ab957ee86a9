/** Answering with one page of events, at once or as a long poll (protocol section 2). */
import type { SubscribeRequest } from '../broker/broker.ts';
import { PageCollector } from '../delivery/page-collector.ts';
import { StoreUnavailable } from '../store/store.ts';
import { tooManyStreams } from './open-stream.ts';
import { cacheControlOf } from './page-caching.ts';
import { ProblemError } from './problem-error.ts';
import { type RequestContext, readerOf, type Services } from './services.ts';

/** How long a page may take to read, beyond what it waits for events, in ms. */
const READ_MS = 5000;

export async function answerPage(
  c: RequestContext,
  { subscriptions, pages, callers, draining, audit, clock, isPublic }: Services,
  requests: readonly SubscribeRequest[],
  { limit, waitSeconds }: { readonly limit: number; readonly waitSeconds: number },
): Promise<Response> {
  if (draining()) throw new ProblemError('draining');
  // A long poll holds what a stream holds, so it counts as one.
  const held = waitSeconds > 0 ? callers.stream(c.get('principal'), c.get('address')) : undefined;
  if (waitSeconds > 0 && held === undefined) throw tooManyStreams();
  const since = clock();
  let expire: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const { signal } = c.req.raw;
  try {
    const collector = new PageCollector(await subscriptions.subscribe(c.get('principal'), requests), {
      limit,
      wait: waitSeconds > 0,
    });
    expire = () => collector.expire();
    timer = setTimeout(expire, waitSeconds > 0 ? waitSeconds * 1000 : READ_MS);
    signal.addEventListener('abort', expire);
    pages.add(expire);
    // The reader may have gone, or the drain begun, while the positions were looked up.
    if (signal.aborted || draining()) expire();
    const page = await collector.collect();
    if (page.kind === 'unavailable') throw new StoreUnavailable('a page could not be read in time');
    for (const { topic } of requests) audit.note(readerOf(c), { kind: 'page', name: topic }, since);
    // Every event is JSON text already; only the frame around them is written here.
    const events = page.events.map(({ json }) => json).join(',');
    const rest = JSON.stringify({ cursor: page.cursor, more: page.more, gap: page.gap }).slice(1);
    c.header('Vary', 'Accept', { append: true });
    const kept = {
      events: page.events.length,
      more: page.more,
      hasGap: page.gap !== undefined,
      isNamed: c.req.method === 'GET' && c.req.header('Last-Event-ID') === undefined,
    };
    c.header('Cache-Control', cacheControlOf({ isPublic }, requests, kept));
    const body = new TextEncoder().encode(`{"events":[${events}],${rest}`);
    // Its length tells the compression whether it is worth while.
    return c.body(body, 200, { 'Content-Type': 'application/json', 'Content-Length': String(body.byteLength) });
  } finally {
    clearTimeout(timer);
    if (expire !== undefined) {
      signal.removeEventListener('abort', expire);
      pages.delete(expire);
    }
    held?.release();
  }
}
