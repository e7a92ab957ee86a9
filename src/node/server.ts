/** A Sluice server on Node: its parts chosen by the configuration, served, and drained in good order. */

import type { Config, Mode } from '../config/config.ts';
import type { Log } from '../http/log.ts';
import { createRealtime, type Realtime } from '../http/realtime.ts';
import type { RealtimeOptions } from '../http/realtime-options.ts';
import type { MetricsSource } from '../http/routes/operating.ts';
import { compileTopicPattern } from '../protocol/topic.ts';
import type { Retention } from '../store/store.ts';
import { HOST_METRICS_TOPIC, startHostMetrics } from './host-metrics.ts';
import { createListener } from './listener.ts';
import { loadCollections } from './load-collections.ts';
import { createLogger, type Logger } from './logger.ts';
import { isLocal, refuseStrangers } from './loopback.ts';
import { createNodeCounters } from './node-counters.ts';
import { openParts, type Parts } from './parts.ts';
import { StartError } from './start-error.ts';
import type { NodeStats } from './stats.ts';
import { widgetScript } from './widget-script.ts';

export interface RunningServer {
  /** Where it answers, without a slash at the end. */
  readonly url: string;
  readonly realtime: Realtime;
  /** Drains and ends: open streams are told, requests in flight finish. Takes 10 s at most. */
  close(): Promise<void>;
}

/** An event a second is worth keeping for the page's charts, not for a week. */
const HOST_METRICS_RETENTION: Retention = { ageMs: 3_600_000 };

/** A page keeps the widget for an hour: so long an upgrade may take to arrive. */
const WIDGET_CACHE_S = 3600;

/** The `code`s of errors of collections whose database is not as it must be. */
const UNFIT: ReadonlySet<string> = new Set(['definition-mismatch', 'not-captured', 'row-security-lacks']);

/** @throws StartError when the database, the data directory or the port cannot be had */
export async function startServer(config: Config, { mode }: { readonly mode: Mode }): Promise<RunningServer> {
  const node = crypto.randomUUID().slice(0, 8);
  const log = createLogger({ level: config.logLevel, format: mode === 'dev' ? 'human' : 'json', fields: { node } });
  try {
    if (config.redisUrl !== undefined) log.warn({}, 'REDIS_URL is set, but nothing uses it yet');
    return await start(config, mode, node, log);
  } catch (error) {
    log.flush();
    throw error;
  }
}

async function start(config: Config, mode: Mode, node: string, log: Logger): Promise<RunningServer> {
  const counters = createNodeCounters();
  let appendBatches = 0;
  const onCommit = () => {
    appendBatches += 1;
  };
  const parts = await openParts(config, { node, log, onCommit });
  const { store, bus } = parts;
  const stats = (): NodeStats => {
    const { topics, ...held } = realtime.gauges();
    const busState = { busConnected: bus?.connected ?? true, busDropped: parts.busDropped() };
    return counters.read({ ...held, liveTopics: topics, ...busState, appendBatches });
  };
  const realtime = await orClose(parts, async () =>
    createRealtime({
      ...optionsOf(config, mode),
      ...(mode === 'dev' && { local: isLocal, guard: refuseStrangers }),
      ...(bus && { bus }),
      store: { ...store, log: counters.observe(store.log) },
      ...(config.collections !== undefined && {
        collections: await loadCollections(config.collections, parts.captureHints),
      }),
      node,
      log,
      observer: counters.observer,
      metrics: metricsOf(stats),
    }),
  );
  const listener = createListener(realtime.fetch);
  try {
    realtime.route('/', widgetScript({ cacheSeconds: mode === 'dev' ? 0 : WIDGET_CACHE_S }));
    if (mode === 'dev') realtime.route('/', (await import('./dev-page/dev-page.ts')).devPage());
    await Promise.all([realtime.started, listener.listen(config)]);
  } catch (error) {
    listener.destroy();
    await end(realtime, parts);
    // What is not as the definitions want it is for the operator to read.
    if (error instanceof Error && 'code' in error && UNFIT.has(String(error.code)))
      throw new StartError('collections', error.message, { cause: error });
    throw error;
  }
  const hostMetrics = mode === 'dev' ? publishHostMetrics(realtime, log) : undefined;
  const { url } = listener;
  // In development the command line says where it is, and that it ends.
  const level = mode === 'dev' ? 'debug' : 'info';
  log[level]({ url }, 'listening');
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    hostMetrics?.stop();
    try {
      const answered = listener.drain();
      realtime.drain();
      await answered;
      await end(realtime, parts);
      log[level]({}, 'drained');
    } finally {
      log.flush();
    }
  }
  return {
    url,
    realtime,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** What is made of the parts, which are closed when it cannot be made. */
async function orClose<Made>({ store, bus, release }: Parts, make: () => Promise<Made>): Promise<Made> {
  try {
    return await make();
  } catch (error) {
    await bus?.close();
    await store.close();
    await release();
    throw error;
  }
}

/** Loaded at the first question: a server that nobody measures need not carry it. */
function metricsOf(stats: () => NodeStats): MetricsSource {
  let loaded: Promise<MetricsSource> | undefined;
  return async () => {
    loaded ??= import('./metrics.ts').then(({ createMetrics }) => createMetrics({ stats }));
    return (await loaded)();
  };
}

async function end(realtime: Realtime, parts: Parts): Promise<void> {
  try {
    await realtime.close();
  } finally {
    await parts.release();
  }
}

function optionsOf(config: Config, mode: Mode): RealtimeOptions {
  const patterns = config.compactTopics.map(compileTopicPattern).filter((pattern) => pattern !== undefined);
  const { requestBytes, eventBytes, topicsPerStream, membersPerTopic, ...callerLimits } = config.limits;
  return {
    auth: config.auth,
    audit: config.audit,
    cors: config.corsOrigins,
    limits: { requestBytes, eventBytes, topicsPerStream, membersPerTopic },
    callerLimits,
    retention: (topic) => (topic === HOST_METRICS_TOPIC && mode === 'dev' ? HOST_METRICS_RETENTION : config.retention),
    retentionIntervalMs: config.retentionIntervalMs,
    ...(patterns.length > 0 && { compact: (topic: string) => patterns.some((covers) => covers(topic)) }),
    trustProxy: config.trustProxy,
    schedule: setImmediate,
  };
}

/** This machine's own figures: the first live topic of a development server. */
function publishHostMetrics(realtime: Realtime, log: Log): { stop(): void } {
  return startHostMetrics({
    publish: (topic, event) => realtime.publish(topic, event),
    extra: () => ({ streams: Object.values(realtime.gauges().streams).reduce((sum, count) => sum + count, 0) }),
    onFault: (error) => log.warn({ error }, 'host metrics cannot be published'),
  });
}
