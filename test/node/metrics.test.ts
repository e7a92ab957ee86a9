import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/node/metrics.ts';
import { createNodeCounters, type NodeGauges } from '../../src/node/node-counters.ts';
import type { NodeStats } from '../../src/node/stats.ts';
import { createMemoryStore } from '../../src/store/memory.ts';

const GAUGES: NodeGauges = {
  streams: { sse: 3, ndjson: 1 },
  subscriptions: 7,
  liveTopics: 5,
  watchedTopics: 6,
  leaseStreams: 7,
  busConnected: true,
  busDropped: 2,
  appendBatches: 3,
};

interface Family {
  readonly type: string;
  readonly samples: Map<string, number>;
}

/**
 * A strict reader of the Prometheus text format 0.0.4: throws on any line that it does not allow. A value is what Go's
 * ParseFloat takes, which does not mind the case of `Nan`.
 */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const helped = new Set<string>();
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (kind === 'HELP') {
        if (helped.has(name)) throw new Error(`helped twice: ${name}`);
        helped.add(name);
      } else {
        if (families.has(name)) throw new Error(`typed twice: ${name}`);
        if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest)) throw new Error(`no such type: ${rest}`);
        families.set(name, { type: rest, samples: new Map() });
      }
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (NaN|Nan|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)$/.exec(line);
    if (sample === null) throw new Error(`not a line of metrics: ${line}`);
    const [, name = '', labels = '', value = ''] = sample;
    if (
      labels !== '' &&
      !/^\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*")*\}$/.test(
        labels,
      )
    )
      throw new Error(`bad labels: ${line}`);
    const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
    if (family === undefined) throw new Error(`no type before: ${line}`);
    if (family.samples.has(name + labels)) throw new Error(`twice: ${line}`);
    family.samples.set(name + labels, Number(value.replace('Inf', 'Infinity').replace('Nan', 'NaN')));
  }
  return families;
}

async function scrape(stats: () => NodeStats) {
  const { contentType, text } = await createMetrics({ stats })();
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  return parse(text);
}

describe('the metrics', () => {
  it('say what was counted, in the text format, at each scrape anew', async () => {
    const counters = createNodeCounters();
    const { observer } = counters;
    let reads = 0;
    const metrics = createMetrics({
      stats: () => {
        reads += 1;
        return counters.read(GAUGES);
      },
    });
    const made = reads;
    observer.onPublish(10);
    observer.onPublish(5);
    observer.onEphemeral(2);
    observer.onDelivery(100, 12_345);
    observer.onGap('lagged');
    observer.onGap('unknown-epoch');
    observer.onClose('gone');
    observer.onPruned(9);
    observer.onLogRead();
    for (const status of [200, 201, 404, 503, 999]) observer.onResponse(status);
    const first = parse((await metrics()).text);
    const value = (families: Map<string, Family>, name: string, labels = '') =>
      families.get(name)?.samples.get(name + labels);
    expect(value(first, 'sluice_published_events_total')).toBe(15);
    expect(value(first, 'sluice_publish_requests_total')).toBe(2);
    expect(value(first, 'sluice_ephemeral_events_total')).toBe(2);
    expect(value(first, 'sluice_delivered_events_total')).toBe(100);
    expect(value(first, 'sluice_delivered_bytes_total')).toBe(12_345);
    expect(value(first, 'sluice_streams', '{format="sse"}')).toBe(3);
    expect(value(first, 'sluice_gaps_total', '{reason="lagged"}')).toBe(1);
    expect(value(first, 'sluice_gaps_total', '{reason="unknown-epoch"}')).toBe(1);
    expect(value(first, 'sluice_gaps_total', '{reason="ahead"}')).toBe(0);
    expect(value(first, 'sluice_streams_closed_total', '{reason="gone"}')).toBe(1);
    expect(value(first, 'sluice_http_responses_total', '{status="2xx"}')).toBe(2);
    expect(value(first, 'sluice_http_responses_total', '{status="5xx"}')).toBe(1);
    expect(value(first, 'sluice_bus_connected')).toBe(1);
    expect(value(first, 'sluice_bus_dropped_signals_total')).toBe(2);
    expect(value(first, 'sluice_append_batches_total')).toBe(3);
    expect(value(first, 'sluice_pruned_events_total')).toBe(9);
    expect(value(first, 'sluice_log_reads_total')).toBe(1);
    observer.onPublish(1);
    expect(value(parse((await metrics()).text), 'sluice_published_events_total')).toBe(16);
    expect(reads - made).toBe(2);
  });

  it('have names with units and types that fit, and the process among them', async () => {
    const families = await scrape(() => createNodeCounters().read(GAUGES));
    const ours = [...families].filter(([name]) => name.startsWith('sluice_'));
    expect(ours.length).toBeGreaterThanOrEqual(18);
    for (const [name, { type }] of ours) {
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds'])
      expect(families.get(name)?.samples.size).toBe(1);
  });

  it('of two servers in one process do not meet', async () => {
    const one = createNodeCounters();
    one.observer.onPublish(3);
    const families = await Promise.all([one, createNodeCounters()].map((each) => scrape(() => each.read(GAUGES))));
    expect(
      families.map((each) => each.get('sluice_published_events_total')?.samples.get('sluice_published_events_total')),
    ).toEqual([3, 0]);
  });
});

describe('appends that are observed', () => {
  it('are counted in cumulative buckets by the time they took, also when they fail', async () => {
    let clock = 0;
    const counters = createNodeCounters(() => clock);
    const { log, close } = createMemoryStore();
    const times = [0.1, 0.5, 3, 40, 40, 9_000];
    const observed = counters.observe({
      ...bound(log),
      append: async (append) => {
        clock += times.shift() ?? 0;
        if (times.length === 0) throw new Error('away');
        return log.append(append);
      },
    });
    for (let n = 0; n < 5; n += 1)
      expect(await observed.append({ topic: 't', bodies: ['"type":"a","data":1}'] })).toMatchObject({ first: n + 1 });
    await expect(observed.append({ topic: 't', bodies: ['"type":"a","data":1}'] })).rejects.toThrow('away');
    expect(await observed.ranges(['t'])).toMatchObject([{ latest: 5 }]);
    const families = await scrape(() => counters.read(GAUGES));
    const { samples } = families.get('sluice_append_duration_seconds')!;
    const bucket = (le: string) => samples.get(`sluice_append_duration_seconds_bucket{le="${le}"}`);
    expect([bucket('0.0005'), bucket('0.005'), bucket('0.02'), bucket('0.05'), bucket('5'), bucket('+Inf')]).toEqual([
      2, 3, 3, 5, 5, 6,
    ]);
    expect(samples.get('sluice_append_duration_seconds_count')).toBe(6);
    expect(samples.get('sluice_append_duration_seconds_sum')).toBeCloseTo(9.0836, 6);
    expect(families.get('sluice_append_failures_total')?.samples.get('sluice_append_failures_total')).toBe(1);
    await close();
  });
});

function bound(log: ReturnType<typeof createMemoryStore>['log']) {
  return createNodeCounters().observe(log);
}
