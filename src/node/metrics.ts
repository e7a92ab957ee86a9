/**
 * Metrics in the text format of Prometheus.
 *
 * Nothing is kept here: each scrape reads the node's own counters once, so the paths that count do no more than add.
 */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { MetricsSource } from '../http/routes/operating.ts';
import type { HistogramCounts, NodeStats } from './stats.ts';

/** One line of a metric: its labels and value; `suffix` for the parts of a histogram. */
interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly suffix?: string;
}

interface Definition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly read: (stats: NodeStats) => number | readonly Sample[];
}

/** @param stats called once a scrape */
export function createMetrics({ stats }: { readonly stats: () => NodeStats }): MetricsSource {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  let current = stats();
  for (const { name, type, help, read } of DEFINITIONS) {
    const metric = {
      name,
      help,
      type,
      get: async () => ({ name, help, type, aggregator: 'sum', values: samples(name, read(current)) }),
      reset() {},
    };
    // The registry asks a metric for no more than this; prom-client's own classes keep values, and a histogram cannot
    // be set.
    registry.registerMetric(metric as unknown as Metric);
  }
  return async () => {
    current = stats();
    return { contentType: registry.contentType, text: await registry.metrics() };
  };
}

function samples(name: string, read: number | readonly Sample[]) {
  const list = typeof read === 'number' ? [{ value: read }] : read;
  return list.map(({ value, labels = {}, suffix = '' }: Sample) => ({ metricName: name + suffix, labels, value }));
}

function labelled(label: string, values: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(values).map(([name, value]) => ({ value, labels: { [label]: name } }));
}

function histogram(counted: HistogramCounts): readonly Sample[] {
  let total = 0;
  const buckets = counted.counts.map((count, index) => {
    total += count;
    return { suffix: '_bucket', labels: { le: `${counted.boundaries[index] ?? '+Inf'}` }, value: total };
  });
  return [...buckets, { suffix: '_sum', value: counted.sum }, { suffix: '_count', value: total }];
}

const DEFINITIONS: readonly Definition[] = [
  {
    name: 'sluice_published_events_total',
    type: 'counter',
    help: 'Events appended to logs.',
    read: (stats) => stats.publishedEvents,
  },
  {
    name: 'sluice_publish_requests_total',
    type: 'counter',
    help: 'Publishes that appended events.',
    read: (stats) => stats.publishRequests,
  },
  {
    name: 'sluice_ephemeral_events_total',
    type: 'counter',
    help: 'Events published for whoever is connected.',
    read: (stats) => stats.ephemeralEvents,
  },
  {
    name: 'sluice_delivered_events_total',
    type: 'counter',
    help: 'Events written to streams.',
    read: (stats) => stats.deliveredEvents,
  },
  {
    name: 'sluice_delivered_bytes_total',
    type: 'counter',
    help: 'Bytes of events written to streams.',
    read: (stats) => stats.deliveredBytes,
  },
  {
    name: 'sluice_streams',
    type: 'gauge',
    help: 'Open streams by format.',
    read: (stats) => labelled('format', stats.streams),
  },
  {
    name: 'sluice_subscriptions',
    type: 'gauge',
    help: 'Subscriptions of open streams, one for each topic.',
    read: (stats) => stats.subscriptions,
  },
  {
    name: 'sluice_live_topics',
    type: 'gauge',
    help: 'Topics held in memory because somebody reads them.',
    read: (stats) => stats.liveTopics,
  },
  {
    name: 'sluice_presence_watched_topics',
    type: 'gauge',
    help: 'Topics whose members streams are told of.',
    read: (stats) => stats.watchedTopics,
  },
  {
    name: 'sluice_presence_lease_streams',
    type: 'gauge',
    help: 'Streams that keep leases of presence alive.',
    read: (stats) => stats.leaseStreams,
  },
  {
    name: 'sluice_log_reads_total',
    type: 'counter',
    help: 'Reads of the log by subscriptions that catch up or fell behind.',
    read: (stats) => stats.logReads,
  },
  {
    name: 'sluice_gaps_total',
    type: 'counter',
    help: 'Gaps told to readers, by reason.',
    read: (stats) => labelled('reason', stats.gaps),
  },
  {
    name: 'sluice_append_failures_total',
    type: 'counter',
    help: 'Appends that failed.',
    read: (stats) => stats.appendFailures,
  },
  {
    name: 'sluice_append_batches_total',
    type: 'counter',
    help: 'Transactions that appends shared.',
    read: (stats) => stats.appendBatches,
  },
  {
    name: 'sluice_append_duration_seconds',
    type: 'histogram',
    help: 'Time from the call of an append to its answer.',
    read: (stats) => histogram(stats.appendSeconds),
  },
  {
    name: 'sluice_bus_connected',
    type: 'gauge',
    help: '1 while other nodes can be heard.',
    read: (stats) => Number(stats.busConnected),
  },
  {
    name: 'sluice_bus_dropped_signals_total',
    type: 'counter',
    help: 'Signals to other nodes that were dropped.',
    read: (stats) => stats.busDropped,
  },
  {
    name: 'sluice_http_responses_total',
    type: 'counter',
    help: 'Answers by class of status.',
    read: (stats) => labelled('status', stats.responses).map((each) => ({ ...each, labels: statusClass(each) })),
  },
  {
    name: 'sluice_streams_closed_total',
    type: 'counter',
    help: 'Streams that ended, by what ended them.',
    read: (stats) => labelled('reason', stats.closes),
  },
  {
    name: 'sluice_pruned_events_total',
    type: 'counter',
    help: 'Events forgotten by retention.',
    read: (stats) => stats.prunedEvents,
  },
];

function statusClass({ labels }: Sample): Readonly<Record<string, string>> {
  return { status: `${labels?.['status']}xx` };
}
