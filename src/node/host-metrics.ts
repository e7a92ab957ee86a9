/** This machine's own numbers as events: the first live data that a new user sees. */
import { cpus, freemem, hostname, loadavg, totalmem, uptime } from 'node:os';
import { createHistogram } from 'node:perf_hooks';
import type { EventInput } from '../protocol/event.ts';

/** Where the numbers go. */
export const HOST_METRICS_TOPIC = 'host:metrics';

/** The data of a `metrics` event. Percentages are 0 to 100, sizes bytes, delays milliseconds, uptimes seconds. */
export interface HostMetrics {
  readonly host: string;
  readonly uptime: number;
  /** Since the last event. `cores` is in the system's order, and empty where the system tells nothing. */
  readonly cpu: { readonly total: number; readonly cores: readonly number[] };
  /** Over 1, 5 and 15 minutes; zeros on Windows, which has none. */
  readonly load: readonly number[];
  readonly memory: { readonly total: number; readonly used: number };
  /** How late timers of this process ran since the last event. */
  readonly loop: { readonly mean: number; readonly p99: number; readonly max: number };
  /** This process. `cpu` is of one core since the last event, so it can exceed 100. */
  readonly process: {
    readonly rss: number;
    readonly heap: number;
    readonly cpu: number;
    readonly uptime: number;
  };
  /** What the server tells of itself, such as `streams`. */
  readonly server: Readonly<Record<string, number>>;
}

export interface HostMetricsOptions {
  readonly publish: (topic: string, event: EventInput) => Promise<unknown>;
  /** Milliseconds between two events. */
  readonly intervalMs?: number;
  /** Numbers of the server to send along, read at each event. */
  readonly extra?: () => Record<string, number>;
  /** Told of the first failure of a row of failures; a success in between ends the row. Default: a process warning. */
  readonly onFault?: (error: unknown) => void;
}

/** How often the event loop's delay is sampled, in ms: often enough to see a stall, seldom enough to cost nothing. */
const SAMPLE_MS = 20;

/**
 * Publishes this machine's numbers at an interval, until stopped. At most one publish is in flight: while one is slow, the
 * intervals that pass are left out, so nothing can pile up. A failed publish is reported and the next one tried as usual.
 * Does not keep the process alive.
 */
export function startHostMetrics(options: HostMetricsOptions): { stop(): void } {
  const { publish, intervalMs = 1000, extra = () => ({}), onFault = warn } = options;
  const measure = createMeter();
  let inFlight = false;
  let failures = 0;

  async function send(): Promise<void> {
    inFlight = true;
    try {
      const data: HostMetrics = { ...measure.read(), server: extra() };
      await publish(HOST_METRICS_TOPIC, { type: 'metrics', key: data.host, data });
      failures = 0;
    } catch (error) {
      failures += 1;
      if (failures === 1) onFault(error);
    } finally {
      inFlight = false;
    }
  }

  const timer = setInterval(() => {
    if (!inFlight) void send();
  }, intervalMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      measure.close();
    },
  };
}

/** Measures from one reading to the next. */
function createMeter(): { read(): Omit<HostMetrics, 'server'>; close(): void } {
  const delay = createDelaySampler();
  let cores = coreTimes();
  let own = process.cpuUsage();
  let at = performance.now();

  return {
    read() {
      const now = performance.now();
      const nextCores = coreTimes();
      const used = process.cpuUsage(own);
      const elapsedMicros = Math.max(1, (now - at) * 1000);
      const each = nextCores.map((core, index) => share(cores[index], core));
      own = process.cpuUsage();
      cores = nextCores;
      at = now;
      return {
        host: hostname(),
        uptime: Math.round(uptime()),
        cpu: { total: tenth(each.reduce((sum, value) => sum + value, 0) / Math.max(1, each.length)), cores: each },
        load: loadavg().map((value) => Math.round(value * 100) / 100),
        memory: { total: totalmem(), used: totalmem() - freemem() },
        loop: delay.read(),
        process: {
          rss: process.memoryUsage.rss(),
          heap: process.memoryUsage().heapUsed,
          cpu: tenth(((used.user + used.system) / elapsedMicros) * 100),
          uptime: Math.round(process.uptime()),
        },
      };
    },
    close() {
      delay.stop();
    },
  };
}

/**
 * Measures how late a timer runs. Not `monitorEventLoopDelay`: its `reset` forgets the delay that is just ending, and a reading
 * that comes right after a stall would lose the stall.
 */
function createDelaySampler(): { read(): HostMetrics['loop']; stop(): void } {
  /** In microseconds, and one more, because it holds nothing below 1. */
  const histogram = createHistogram();
  let last = performance.now();
  const sample = (): void => {
    const now = performance.now();
    histogram.record(1 + Math.max(0, Math.round((now - last - SAMPLE_MS) * 1000)));
    last = now;
  };
  const timer = setInterval(sample, SAMPLE_MS);
  timer.unref();
  const ms = (value: number): number => (Number.isFinite(value) ? Math.round((value - 1) / 10) / 100 : 0);
  return {
    read() {
      // The timer may be due already and only be waiting for its turn.
      if (performance.now() - last > SAMPLE_MS) sample();
      const { mean, max, count } = histogram;
      const loop =
        count === 0 ? { mean: 0, p99: 0, max: 0 } : { mean: ms(mean), p99: ms(histogram.percentile(99)), max: ms(max) };
      histogram.reset();
      return loop;
    },
    stop: () => clearInterval(timer),
  };
}

interface CoreTime {
  readonly busy: number;
  readonly all: number;
}

function coreTimes(): readonly CoreTime[] {
  return cpus().map(({ times }) => {
    const busy = times.user + times.nice + times.sys + times.irq;
    return { busy, all: busy + times.idle };
  });
}

/** How busy a core was between two readings, in per cent. A core that has just appeared, or stood still, was idle. */
function share(before: CoreTime | undefined, after: CoreTime): number {
  const all = after.all - (before?.all ?? after.all);
  const busy = after.busy - (before?.busy ?? after.busy);
  return all <= 0 ? 0 : tenth(Math.min(100, Math.max(0, (busy / all) * 100)));
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

function warn(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  process.emitWarning(`host metrics cannot be published: ${reason}`, { code: 'SLUICE_HOST_METRICS' });
}
