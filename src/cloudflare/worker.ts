/**
 * The Worker: serves the API on Cloudflare. Each request is a node of its own, as a process is on Node: it has its streams, asks the objects of
 * topics, and is gone when its answer is. Only plain data outlives it in the isolate.
 */

import { createTokenVerifier, type TokenVerifier } from '../auth/token-verifier.ts';
import type { Config } from '../config/config.ts';
import { type CallerLimiter, createCallerLimiter, DEFAULT_CALLER_LIMITS } from '../http/caller-limiter.ts';
import type { DefinedBy } from '../http/defined-by.ts';
import type { OpenCollections } from '../http/live-collections.ts';
import type { Log } from '../http/log.ts';
import { createRealtime } from '../http/realtime.ts';
import type { RealtimeOptions } from '../http/realtime-options.ts';
import type { Defines } from '../protocol/definition.ts';
import { problem } from '../protocol/problem.ts';
import type { Store } from '../store/store.ts';
import { type Bindings, settingsOf } from './bindings.ts';
import { createConsoleLog } from './console-log.ts';
import { createEdgeBroker } from './edge-broker.ts';
import { createEdgeBus } from './edge-bus.ts';
import { createEdgePresence } from './edge-presence-store.ts';
import { createEdgeStore, createRemembered } from './edge-store.ts';
import { createIsolateMetrics } from './isolate-metrics.ts';
import { pageCacheOf } from './page-cache.ts';
import type { ExecutionContext } from './platform.ts';
import { PollGroup } from './poll-group.ts';
import { limitedBy } from './rate-limit.ts';

/** Topics of which an isolate remembers how many read them. */
const MOST_SUBSCRIBERS = 1000;
/** How long a stream may last, in ms: no request is cut while it is read, but a Worker is replaced now and then. */
const STREAM_LIFE_MS = 30 * 60_000;

/** What a request gives to its collections. */
export interface WorkerCollectionParts {
  readonly bindings: Bindings;
  /** Where everything else is. */
  readonly store: Store;
  /** Keeps the request alive until something is done. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  /** Told how many read a topic. */
  readonly onSubscribers: (topic: string, subscribers: number) => void;
}

/** Collections of a Worker: what `edgeCollections` of `sluice/cloudflare/collections` makes. */
export interface WorkerCollections {
  /** @throws Error that names what the deployment lacks */
  check(env: object): void;
  /** Opens them for one request. @returns them, and a store that knows their logs too */
  open(parts: WorkerCollectionParts): { readonly store: Store; readonly collections: OpenCollections };
}

/** What an application may say besides the settings. */
export interface WorkerOptions extends Pick<RealtimeOptions, 'policy' | 'events' | 'guard'> {
  /** Tables to be live resources. None unless told. */
  readonly collections?: WorkerCollections;
}

export interface SluiceWorker {
  fetch(request: Request, env: Bindings, ctx: ExecutionContext): Promise<Response>;
}

/**
 * Makes the Worker. Clients know its events and collections by `createClient<typeof worker>`.
 * @example
 * ```ts
 * export { SluiceGate, SluiceRelay, SluiceSystem, SluiceTopic } from 'sluice/cloudflare';
 * export default createWorker({ events: { 'chat:*': { said: z.object({ text: z.string() }) } } });
 * ```
 */
export function createWorker<const Options extends WorkerOptions>(
  options?: Options,
): SluiceWorker & Defines<DefinedBy<Options>>;
export function createWorker({ collections: tables, ...options }: WorkerOptions = {}): SluiceWorker {
  const remembered = createRemembered();
  const subscribers = new Map<string, number>();
  const metrics = createIsolateMetrics();
  let configured:
    | {
        readonly env: object;
        readonly config: Config;
        readonly callers: CallerLimiter;
        readonly log: Log;
        readonly verifier: TokenVerifier;
      }
    | undefined;

  const polls = new PollGroup();

  /** Read once, as long as the bindings are the same. */
  function configure(env: Bindings) {
    if (configured?.env === env) return configured;
    const config = settingsOf(env);
    tables?.check(env);
    configured = {
      env,
      config,
      callers: limitedBy(env.SLUICE_RATE_LIMITER, createCallerLimiter({ ...DEFAULT_CALLER_LIMITS, ...config.limits })),
      log: createConsoleLog(config.logLevel),
      // Its keys outlive the request that fetched them; no request waits for what another began.
      verifier: createTokenVerifier({ ...config.auth, share: false, onFault: (error) => console.error(error) }),
    };
    return configured;
  }

  /** Answers a request: as a node of its own. */
  async function serve(
    request: Request,
    env: Bindings,
    waitUntil: (work: Promise<unknown>) => void,
    { config, callers, log, verifier }: ReturnType<typeof configure>,
  ): Promise<Response> {
    const node = nodeName();
    const onFault = (error: unknown) => console.error(error);
    const presence = createEdgePresence({ bindings: env, hear: (signal) => bus.hear(signal) });
    const bus = createEdgeBus({ bindings: env, node, waitUntil, follow: presence.follow, onFault });
    const onSubscribers = (topic: string, count: number) => {
      if (subscribers.size >= MOST_SUBSCRIBERS) subscribers.clear();
      subscribers.set(topic, count);
    };
    const objects = createEdgeStore({
      bindings: env,
      remembered,
      presence: presence.store,
      clock: Date.now,
      onSubscribers,
    });
    const { store, collections } = tables?.open({
      bindings: env,
      store: objects,
      waitUntil,
      onSubscribers,
    }) ?? {
      store: objects,
      collections: undefined,
    };
    const broker = createEdgeBroker({
      bindings: env,
      clock: Date.now,
      waitUntil,
      subscribers: (topic) => subscribers.get(topic) ?? 0,
      observer: metrics.observer,
      onFault,
    });
    const realtime = createRealtime({
      ...options,
      ...(collections && { collections }),
      store,
      bus,
      broker,
      node,
      callers,
      auth: { ...config.auth, verifier },
      cors: config.corsOrigins,
      limits: config.limits,
      audit: config.audit,
      log,
      compress: false,
      brief: true,
      streamLifeMs: STREAM_LIFE_MS,
      // Nothing is looked for: the objects tell.
      tailCheckMs: 0,
      address: () => request.headers.get('CF-Connecting-IP') ?? undefined,
      metrics: async () => metrics.text(),
      observer: {
        ...metrics.observer,
        onClose(reason) {
          metrics.observer.onClose?.(reason);
          waitUntil(end());
        },
      },
    });
    let ending: Promise<void> | undefined;
    function end(): Promise<void> {
      ending ??= realtime.close();
      return ending;
    }
    const response = await realtime.fetch(request);
    if (Object.values(realtime.gauges().streams).some((count) => count > 0)) waitUntil(bus.connect());
    else waitUntil(end());
    return response;
  }

  return {
    async fetch(request, env, ctx) {
      const pages = options.guard === undefined ? pageCacheOf(request, polls) : undefined;
      const kept = await pages?.match();
      if (kept !== undefined) return kept;
      let configuration: ReturnType<typeof configure>;
      try {
        configuration = configure(env);
      } catch (error) {
        // What is wrong is the operator's to read.
        console.error(error);
        return Response.json(problem('internal', 'The deployment is not configured: see its log.'), {
          status: 500,
          headers: { 'Content-Type': 'application/problem+json' },
        });
      }
      const waitUntil = (work: Promise<unknown>) => ctx.waitUntil(work);
      const answer = (asked: Request) => serve(asked, env, waitUntil, configuration);
      return pages === undefined ? answer(request) : pages.answer(answer, waitUntil);
    },
  };
}

/** Eight characters of `0-9a-z`. */
function nodeName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => (byte % 36).toString(36)).join('');
}
