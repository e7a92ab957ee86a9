/** The Hono app: middleware in their order, and one route file for each resource. */
import { Hono } from 'hono';
import { compress } from 'hono/compress';
import { cors } from 'hono/cors';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { LinearRouter } from 'hono/router/linear-router';
import { authenticate } from './authenticate.ts';
import { requireLegibleUrl } from './legible-url.ts';
import { observeRequests } from './observe-requests.ts';
import { problemResponse, respondToError } from './problem-error.ts';
import { remoteAddress } from './remote-address.ts';
import { requestId } from './request-id.ts';
import { accessesRoute } from './routes/accesses.ts';
import { collectionsRoute } from './routes/collections.ts';
import { credentialsRoute } from './routes/credentials.ts';
import { eventsRoute } from './routes/events.ts';
import { type MetricsSource, operatingRoute } from './routes/operating.ts';
import { presenceRoute } from './routes/presence.ts';
import { publishRoute } from './routes/publish.ts';
import { streamsRoute } from './routes/streams.ts';
import { topicsRoute } from './routes/topics.ts';
import type { Env, Middleware, RequestContext, Services } from './services.ts';

export interface AppOptions {
  /** Origins whose pages may call. None unless told. */
  readonly cors?: readonly string[] | '*';
  /** How many proxies in front are believed when they add to `X-Forwarded-For`. 0 unless told. */
  readonly trustProxy?: number;
  /** Where a request comes from, on a runtime that says so by other means than a connection. `trustProxy` plays no part then. */
  readonly address?: (c: RequestContext) => string | undefined;
  /** Whether a request without a token comes from this machine and may do everything. For development only. */
  readonly local?: (c: RequestContext) => boolean;
  /** Runs before everything else, and may refuse. */
  readonly guard?: Middleware;
  readonly metrics?: MetricsSource;
  /** Whether JSON is sent compressed to those who accept it. Yes unless told; not where the runtime does it. */
  readonly compress?: boolean;
  /** Whether the app serves one request and is thrown away: then its routes are looked through once, and nothing is prepared for the next. */
  readonly brief?: boolean;
}

export interface AppHooks {
  /** Holds a request until the parts have begun. @throws StoreUnavailable */
  readonly ready: () => Promise<void> | undefined;
  readonly onResponse: (status: number) => void;
}

/** The headers of ours that a page of another origin may read, and those that it may send. */
const EXPOSED_HEADERS = [
  'X-Request-Id',
  'Idempotent-Replayed',
  'Retry-After',
  'RateLimit',
  'ETag',
  'Location',
  'Merged',
  'WWW-Authenticate',
];
const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Accept',
  'Last-Event-ID',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Base-Version',
  'X-Request-Id',
  'traceparent',
];
/** How long a browser may remember what it was told of them, in seconds. */
const CORS_MAX_AGE = 86_400;

export function createApp(services: Services, options: AppOptions, { ready, onResponse }: AppHooks): Hono<Env> {
  const { log } = services;
  const app = new Hono<Env>(options.brief ? { router: new LinearRouter() } : {});
  app.onError(respondToError(log));
  app.notFound((c) => problemResponse(c, 'not-found'));
  app.use(requestId());
  if (options.guard !== undefined) app.use(options.guard);
  app.use(observeRequests(log, onResponse));
  if (options.cors !== undefined && options.cors.length > 0) {
    const origin = options.cors === '*' ? '*' : [...options.cors];
    app.use(cors({ origin, allowHeaders: ALLOWED_HEADERS, exposeHeaders: EXPOSED_HEADERS, maxAge: CORS_MAX_AGE }));
  }
  if (options.compress !== false) {
    const gzip = compress({ encoding: 'gzip', contentTypeFilter: /^application\/json/ });
    app.use((c, next) => (c.req.method === 'GET' ? gzip(c, next) : next()));
  }
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) =>
        problemResponse(c, 'method-not-allowed', { headers: { Allow: methods.join(', ') } }),
    }),
  );
  app.use(async (_, next) => {
    await ready();
    await next();
  });
  app.route('/', operatingRoute(services, options.metrics));
  app.use('/v1/*', requireLegibleUrl);
  const local = options.local ?? (() => false);
  app.use(
    '/v1/*',
    authenticate(services, { address: options.address ?? remoteAddress(options.trustProxy ?? 0), local }),
  );
  app.route('/v1', publishRoute(services));
  app.route('/v1', eventsRoute(services));
  app.route('/v1', streamsRoute(services));
  app.route('/v1', presenceRoute(services));
  app.route('/v1', credentialsRoute(services));
  app.route('/v1', topicsRoute(services));
  app.route('/v1', accessesRoute(services));
  const { collections } = services;
  if (collections !== undefined) app.route('/v1', collectionsRoute({ ...services, records: collections.records }));
  // Where the app is mounted in another, that one's own answer to unknown paths would not be a problem document.
  app.all('/v1/*', (c) => problemResponse(c, 'not-found'));
  return app;
}
