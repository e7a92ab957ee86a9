/**
 * Pages at the edge: those that the app says may be kept are answered out of the location's cache, and no object is asked.
 *
 * Only requests without a credential are, since those with one have to be verified. How long a poll would wait plays no part in what it would
 * be given, so polls of one cursor share one answer: one that has been given before, or the one that another is given while they wait.
 */
import { MAX_WAIT_SECONDS } from '../protocol/limits.ts';
import type { PollGroup } from './poll-group.ts';

/** `caches.default` of the Workers runtime. */
interface EdgeCache {
  match(request: Request): Promise<Response | undefined>;
  put(request: Request, response: Response): Promise<void>;
}

export interface PageCache {
  /** The answer that is kept; `undefined` when there is none. */
  match(): Promise<Response | undefined>;
  /**
   * Answers what is not kept, and keeps the answer, if it may be kept.
   * @param serve answers a request
   */
  answer(
    serve: (request: Request) => Promise<Response>,
    waitUntil: (work: Promise<unknown>) => void,
  ): Promise<Response>;
}

const PAGES = /\/v1\/(topics\/[^/]+\/)?events$/;

/**
 * @param polls those of this isolate
 * @returns `undefined` for a request whose answer is never kept
 */
export function pageCacheOf(request: Request, polls: PollGroup): PageCache | undefined {
  const { default: cache }: { readonly default?: EdgeCache } = typeof caches === 'object' ? (caches as object) : {};
  const url = new URL(request.url);
  const { searchParams } = url;
  const isPage = request.method === 'GET' && PAGES.test(url.pathname) && searchParams.get('format') === 'json';
  const isAnonymous = !request.headers.has('Authorization') && !searchParams.has('ticket');
  // It says where to begin, and is not in the URL.
  const isNamed = !request.headers.has('Last-Event-ID');
  if (cache === undefined || !isPage || !isAnonymous || !isNamed || !searchParams.has('after')) return undefined;
  const wait = Number(searchParams.get('wait') ?? 0);
  searchParams.delete('wait');
  const unwaited = url.href;
  const waiting = (seconds: number) => {
    const asked = new URL(unwaited);
    if (seconds > 0) asked.searchParams.set('wait', String(seconds));
    return new Request(asked, request);
  };
  searchParams.sort();
  // Who is told that their page may read it, depends on where that is from.
  searchParams.set('origin', request.headers.get('Origin') ?? '');
  const key = new Request(url);
  return {
    match: () => cache.match(key),
    async answer(serve, waitUntil) {
      const keep = (response: Response) => {
        if (isShared(response)) waitUntil(cache.put(key, response.clone()));
        return response;
      };
      // What is no time to wait is refused by whoever reads it.
      if (!Number.isInteger(wait) || wait <= 0 || wait > MAX_WAIT_SECONDS) return keep(await serve(request));
      return polls.answer({
        key: key.url,
        waitMs: wait * 1000,
        ask: async (waitMs) => keep(await serve(waiting(Math.ceil(waitMs / 1000)))),
        isShared,
      });
    },
  };
}

function isShared({ status, headers }: Response): boolean {
  return status === 200 && headers.get('Cache-Control')?.startsWith('public') === true;
}
