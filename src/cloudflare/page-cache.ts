/**
 * Pages at the edge: those that the app says may be kept are answered out of the location's cache, and no object is asked.
 *
 * Only requests without a credential are, since those with one have to be verified. How long a poll would wait plays no part in what it would
 * be given, so polls of one cursor share one answer.
 */

/** `caches.default` of the Workers runtime. */
interface EdgeCache {
  match(request: Request): Promise<Response | undefined>;
  put(request: Request, response: Response): Promise<void>;
}

export interface PageCache {
  /** The answer that is kept; `undefined` when there is none. */
  match(): Promise<Response | undefined>;
  /** Keeps an answer, if it may be kept. @returns the answer to give */
  keep(response: Response, waitUntil: (work: Promise<unknown>) => void): Response;
}

const PAGES = /\/v1\/(topics\/[^/]+\/)?events$/;

/** @returns `undefined` for a request whose answer is never kept */
export function pageCacheOf(request: Request): PageCache | undefined {
  const { default: cache }: { readonly default?: EdgeCache } = typeof caches === 'object' ? (caches as object) : {};
  const url = new URL(request.url);
  const { searchParams } = url;
  const isPage = request.method === 'GET' && PAGES.test(url.pathname) && searchParams.get('format') === 'json';
  const isAnonymous = !request.headers.has('Authorization') && !searchParams.has('ticket');
  // It says where to begin, and is not in the URL.
  const isNamed = !request.headers.has('Last-Event-ID');
  if (cache === undefined || !isPage || !isAnonymous || !isNamed || !searchParams.has('after')) return undefined;
  searchParams.delete('wait');
  searchParams.sort();
  // Who is told that their page may read it, depends on where that is from.
  searchParams.set('origin', request.headers.get('Origin') ?? '');
  const key = new Request(url);
  return {
    match: () => cache.match(key),
    keep(response, waitUntil) {
      if (response.status === 200 && response.headers.get('Cache-Control')?.startsWith('public'))
        waitUntil(cache.put(key, response.clone()));
      return response;
    },
  };
}
