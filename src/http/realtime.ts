/**
 * The app: a Hono app with all of the API, to serve as it is or to mount in another.
 *
 * It is made of parts that are passed in (store, bus, credentials), so it knows no runtime; `node/` and later `cloudflare/` say
 * which parts.
 */
import { Hono } from 'hono';
import { compress } from 'hono/compress';
import { cors } from 'hono/cors';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { createAuthenticator } from '../auth/authenticate.ts';
import type { Policy } from '../auth/principal.ts';
import { createRevocations } from '../auth/revocations.ts';
import { createRights } from '../auth/rights.ts';
import { createTickets, type Tickets } from '../auth/tickets.ts';
import { createTokenVerifier, type TokenVerifierOptions } from '../auth/token-verifier.ts';
import type { Origin } from '../broker/broker.ts';
import { LocalBroker } from '../broker/local-broker.ts';
import { createRetentionTask } from '../broker/retention-task.ts';
import type { Bus } from '../bus/bus.ts';
import { createCalls } from '../bus/calls.ts';
import { createLocalBus } from '../bus/local.ts';
import { TimerWheel } from '../delivery/timer-wheel.ts';
import { formatCursor } from '../protocol/cursor.ts';
import type { EventInput } from '../protocol/event.ts';
import type { GrantsClaim } from '../protocol/grants.ts';
import { DEFAULT_LIMITS, type Limits } from '../protocol/limits.ts';
import { createMemoryStore } from '../store/memory.ts';
import { type Retention, type Store, StoreUnavailable } from '../store/store.ts';
import { authenticate } from './authenticate.ts';
import { type CallerLimits, createCallerLimiter, DEFAULT_CALLER_LIMITS } from './caller-limiter.ts';
import { requireLegiblePath } from './legible-path.ts';
import { type Log, SILENT } from './log.ts';
import { observeRequests } from './observe-requests.ts';
import type { RealtimeObserver } from './observer.ts';
import { OpenStreams } from './open-streams.ts';
import { problemResponse, respondToError } from './problem-error.ts';
import { remoteAddress } from './remote-address.ts';
import { requestId } from './request-id.ts';
import { credentialsRoute } from './routes/credentials.ts';
import { eventsRoute } from './routes/events.ts';
import { type MetricsSource, operatingRoute } from './routes/operating.ts';
import { publishRoute } from './routes/publish.ts';
import { streamsRoute } from './routes/streams.ts';
import { topicsRoute } from './routes/topics.ts';
import type { Env, Middleware, RequestContext, Services } from './services.ts';
import { createStreamControl, NODE_NAME_LENGTH } from './stream-control.ts';

export interface RealtimeOptions {
  /** Where events are kept. In memory unless told. Closed by `close`. */
  readonly store?: Store;
  /** How nodes wake each other. None unless told. Closed by `close`. */
  readonly bus?: Bus;
  /** This node's name: eight characters of `0-9a-z`, unlike any other's. Random unless told. */
  readonly node?: string;
  /** How tokens are verified. Without a secret and a JWKS URL every token is refused. */
  readonly auth?: Omit<TokenVerifierOptions, 'clock'> & {
    /** What a request without a token may do. Nothing unless told. */
    readonly anonymous?: GrantsClaim | undefined;
    /** Signs tickets: 32 bytes, the same on every node. Kept in the store unless told. */
    readonly ticketKey?: Uint8Array | undefined;
  };
  /** Your own word on who may do what; it comes before the grants of the token. */
  readonly policy?: Policy;
  /** Origins whose pages may call. None unless told. */
  readonly cors?: readonly string[] | '*';
  readonly limits?: Partial<Limits>;
  readonly callerLimits?: CallerLimits;
  /** What may be forgotten, by topic. Nothing unless told. */
  readonly retention?: Retention | ((topic: string) => Retention);
  /** Whether a topic keeps only the newest event of each key. */
  readonly compact?: (topic: string) => boolean;
  /** How many proxies in front are believed when they add to `X-Forwarded-For`. 0 unless told. */
  readonly trustProxy?: number;
  /** Whether a request without a token comes from this machine and may do everything. For development only. */
  readonly local?: (c: RequestContext) => boolean;
  /** Runs before everything else, and may refuse. */
  readonly guard?: Middleware;
  readonly metrics?: MetricsSource;
  readonly log?: Log;
  readonly observer?: RealtimeObserver;
  /** Defers work to the end of this turn of the event loop; on Node, `setImmediate`. */
  readonly schedule?: (work: () => void) => void;
  readonly clock?: () => number;
  /** How often the log is asked whether another node appended, in ms; 0 never. 1,000 unless told. */
  readonly tailCheckMs?: number;
}

/** A Hono app, and what the code that embeds it can do without HTTP. */
export interface Realtime extends Hono<Env> {
  /** Appends events to a topic. @throws StoreUnavailable */
  publish(
    topic: string,
    events: EventInput | readonly EventInput[],
    origin?: Origin,
  ): Promise<{ readonly cursor: string }>;
  /** Gives events to whoever is connected now. */
  publishEphemeral(topic: string, events: EventInput | readonly EventInput[], origin?: Origin): void;
  /** Resolves when the parts have begun. Requests wait for it by themselves. @throws StoreUnavailable */
  readonly started: Promise<void>;
  /** Refuses new streams and ends the open ones, asking their readers to come back spread over some seconds. */
  drain(): void;
  /** Ends everything, the store and the bus included. */
  close(): Promise<void>;
  /** What is going on, for metrics. */
  readonly gauges: () => {
    readonly streams: Readonly<Record<string, number>>;
    readonly topics: number;
    readonly subscriptions: number;
  };
}

/** The headers of ours that a page of another origin may read. */
const EXPOSED_HEADERS = ['X-Request-Id', 'Idempotent-Replayed', 'Retry-After', 'RateLimit', 'ETag', 'WWW-Authenticate'];
const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Accept',
  'Last-Event-ID',
  'Idempotency-Key',
  'X-Request-Id',
  'traceparent',
];
/** How long a request waits for the parts to begin, and how soon a failed beginning is tried again, in ms. */
const START_WAIT_MS = 2000;
const START_RETRY_MS = 500;

/**
 * Makes the app.
 *
 * @example
 * ```ts
 * const app = new Hono();
 * const realtime = createRealtime({ auth: { secret: process.env.AUTH_SECRET } });
 * app.route('/realtime', realtime);
 * await realtime.publish('orders:42', { type: 'paid', data: { amount: 1200 } });
 * ```
 */
export function createRealtime(options: RealtimeOptions = {}): Realtime {
  const { clock = Date.now, log = SILENT, schedule = queueMicrotask, observer = {} } = options;
  const { node = crypto.randomUUID().replaceAll('-', '').slice(0, NODE_NAME_LENGTH) } = options;
  const { store = createMemoryStore({ clock }), bus = createLocalBus() } = options;
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const onFault = (error: unknown) => log.error({ error }, 'something failed in the background');

  const broker = new LocalBroker({
    log: store.log,
    bus,
    schedule,
    clock,
    tailCheckMs: options.tailCheckMs ?? 1000,
    observer: { ...observer, onFault },
  });
  const wheel = new TimerWheel(onFault, clock);
  const streams = new OpenStreams({
    node,
    wheel,
    clock,
    onDelivery: observer.onDelivery ?? (() => undefined),
    onClose: observer.onClose ?? (() => undefined),
  });
  const rights = createRights(options.policy);
  const revocations = createRevocations({
    store: store.revocations,
    clock,
    onRevoked: (matches) => streams.revoke(matches),
  });
  const calls = createCalls({ bus, node, onFault });
  const credentials = createCredentials(options, { store, clock, revocations });

  let draining = false;
  let running = false;
  const started = start();
  // Whoever awaits `started` learns of a failure; nobody has to.
  started.catch(onFault);

  async function start(): Promise<void> {
    for (;;) {
      try {
        await Promise.all([credentials.load(), revocations.load()]);
        running = true;
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || draining) throw error;
        await pause(START_RETRY_MS);
      }
    }
  }

  /** Word of revocations may be lost, so they are looked for as often as the log's tail is. */
  const refreshRevocations = async () => {
    try {
      if (running) await revocations.refresh();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) onFault(error);
    }
  };
  const revocationCheck =
    options.bus === undefined ? undefined : setInterval(() => void refreshRevocations(), options.tailCheckMs ?? 1000);
  const stopListening = bus.listen(
    ({ message }) => {
      if (message.kind === 'revoked') void refreshRevocations();
    },
    () => void refreshRevocations(),
  );
  const retention = createRetentionTask({
    log: store.log,
    clock,
    retention:
      typeof options.retention === 'function'
        ? options.retention
        : () => (options.retention as Retention | undefined) ?? {},
    compact: options.compact,
    onPruned: observer.onPruned ?? (() => undefined),
    onFault,
  });
  retention.start();

  const services: Services = {
    broker,
    store,
    authenticator: credentials.authenticator,
    rights,
    tickets: credentials.tickets,
    revocations,
    announceRevocation: () => bus.send({ kind: 'revoked' }),
    streams,
    streamControl: createStreamControl({ streams, broker, rights, calls, topicsPerStream: limits.topicsPerStream }),
    callers: createCallerLimiter({ ...DEFAULT_CALLER_LIMITS, ...options.callerLimits }),
    limits,
    log,
    draining: () => draining,
  };

  const app = new Hono<Env>();
  app.onError(respondToError(log));
  app.notFound((c) => problemResponse(c, 'not-found'));
  app.use(requestId());
  if (options.guard !== undefined) app.use(options.guard);
  app.use(observeRequests(log, observer.onResponse ?? (() => undefined)));
  if (options.cors !== undefined && options.cors.length > 0) {
    app.use(
      cors({
        origin: options.cors === '*' ? '*' : [...options.cors],
        allowHeaders: ALLOWED_HEADERS,
        exposeHeaders: EXPOSED_HEADERS,
        maxAge: 86_400,
      }),
    );
  }
  const gzip = compress({ encoding: 'gzip', contentTypeFilter: /^application\/json/ });
  app.use((c, next) => (c.req.method === 'GET' ? gzip(c, next) : next()));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) =>
        problemResponse(c, 'method-not-allowed', { headers: { Allow: methods.join(', ') } }),
    }),
  );
  app.use(async (_, next) => {
    if (!running) await Promise.race([started, pause(START_WAIT_MS)]);
    if (!running) throw new StoreUnavailable('the parts have not begun yet');
    await next();
  });
  app.route('/', operatingRoute(services, options.metrics));
  app.use('/v1/*', requireLegiblePath);
  app.use(
    '/v1/*',
    authenticate(services, { address: remoteAddress(options.trustProxy ?? 0), local: options.local ?? (() => false) }),
  );
  app.route('/v1', publishRoute(services));
  app.route('/v1', eventsRoute(services));
  app.route('/v1', streamsRoute(services));
  app.route('/v1', credentialsRoute(services));
  app.route('/v1', topicsRoute(services));
  // Where the app is mounted in another, that one's own answer to unknown paths would not be a problem document.
  app.all('/v1/*', (c) => problemResponse(c, 'not-found'));

  function drain(): void {
    draining = true;
    streams.drain();
  }

  return Object.assign(app, {
    async publish(topic: string, events: EventInput | readonly EventInput[], origin?: Origin) {
      const list = Array.isArray(events) ? (events as readonly EventInput[]) : [events as EventInput];
      const appended = await broker.publish(topic, list, origin);
      if (appended.kind === 'mismatch') throw new TypeError('the idempotency key was used with other events');
      return { cursor: formatCursor({ epoch: appended.epoch, seq: appended.first + appended.count - 1 }) };
    },
    publishEphemeral(topic: string, events: EventInput | readonly EventInput[], origin?: Origin) {
      broker.publishEphemeral(
        topic,
        Array.isArray(events) ? (events as readonly EventInput[]) : [events as EventInput],
        origin,
      );
    },
    started,
    drain,
    async close() {
      drain();
      clearInterval(revocationCheck);
      stopListening();
      calls.close();
      await retention.stop();
      await broker.close();
      wheel.stop();
      await bus.close();
      await store.close();
    },
    gauges: () => ({ streams: streams.countByFormat(), topics: broker.topics, subscriptions: broker.subscriptions }),
  });
}

function createCredentials(
  { auth = {} }: RealtimeOptions,
  {
    store,
    clock,
    revocations,
  }: {
    readonly store: Store;
    readonly clock: () => number;
    readonly revocations: ReturnType<typeof createRevocations>;
  },
) {
  const { anonymous, ticketKey, ...verification } = auth;
  const configured = verification.secret !== undefined || verification.jwksUrl !== undefined;
  let made: Tickets | undefined;
  const tickets: Tickets = {
    issue: (...asked) => ready().issue(...asked),
    verify: (ticket) => ready().verify(ticket),
  };
  function ready(): Tickets {
    if (made === undefined) throw new StoreUnavailable('the key of tickets is not there yet');
    return made;
  }
  return {
    tickets,
    authenticator: createAuthenticator({
      verifier: configured ? createTokenVerifier({ ...verification, clock }) : undefined,
      tickets,
      revocations,
      anonymous,
      local: true,
    }),
    async load() {
      made = createTickets({ key: ticketKey ?? (await store.secret('tickets')), clock });
    },
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
