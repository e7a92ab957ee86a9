/** Counts what a node does. Every call is on a hot path: it adds, and returns. */
import type { RealtimeObserver } from '../http/observer.ts';
import type { LogStore } from '../store/store.ts';
import type { NodeStats } from './stats.ts';

/** Upper bounds of append times, in seconds. */
const APPEND_BOUNDARIES = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** What is not counted but true now. */
export type NodeGauges = Pick<
  NodeStats,
  | 'streams'
  | 'subscriptions'
  | 'liveTopics'
  | 'watchedTopics'
  | 'leaseStreams'
  | 'busConnected'
  | 'busDropped'
  | 'appendBatches'
>;

export interface NodeCounters {
  readonly observer: Required<RealtimeObserver>;
  /** The same log, its appends timed and their failures counted. */
  observe(log: LogStore): LogStore;
  read(gauges: NodeGauges): NodeStats;
}

/** @param now milliseconds of a clock that does not jump */
export function createNodeCounters(now: () => number = () => performance.now()): NodeCounters {
  const totals = {
    publishedEvents: 0,
    publishRequests: 0,
    ephemeralEvents: 0,
    deliveredEvents: 0,
    deliveredBytes: 0,
    logReads: 0,
    appendFailures: 0,
    prunedEvents: 0,
  };
  const gaps = { expired: 0, 'unknown-epoch': 0, ahead: 0, lagged: 0 };
  const closes = { expired: 0, revoked: 0, draining: 0, slow: 0, limit: 0, gone: 0 };
  const responses = { '1': 0, '2': 0, '3': 0, '4': 0, '5': 0 };
  const appendCounts = new Array<number>(APPEND_BOUNDARIES.length + 1).fill(0);
  let appendSum = 0;

  function timed(startMs: number): void {
    const seconds = (now() - startMs) / 1000;
    const found = APPEND_BOUNDARIES.findIndex((bound) => seconds <= bound);
    const index = found === -1 ? APPEND_BOUNDARIES.length : found;
    appendCounts[index] = (appendCounts[index] ?? 0) + 1;
    appendSum += seconds;
  }

  return {
    observer: {
      onPublish(events) {
        totals.publishRequests += 1;
        totals.publishedEvents += events;
      },
      onEphemeral(events) {
        totals.ephemeralEvents += events;
      },
      // What is flushed to streams is counted stream by stream, as deliveries.
      onFlush() {},
      onLogRead() {
        totals.logReads += 1;
      },
      onGap(reason) {
        gaps[reason] += 1;
      },
      onDelivery(events, bytes) {
        totals.deliveredEvents += events;
        totals.deliveredBytes += bytes;
      },
      onClose(reason) {
        closes[reason] += 1;
      },
      onPruned(events) {
        totals.prunedEvents += events;
      },
      onResponse(status) {
        const first = `${Math.trunc(status / 100)}`;
        if (first in responses) responses[first as keyof typeof responses] += 1;
      },
    },
    observe(log) {
      return {
        append(append) {
          const start = now();
          const appended = log.append(append);
          // Beside the answer, not before it: this is the hot path.
          void appended.then(
            () => timed(start),
            () => {
              totals.appendFailures += 1;
              timed(start);
            },
          );
          return appended;
        },
        read: (topic, after, limit) => log.read(topic, after, limit),
        ranges: (topics) => log.ranges(topics),
        seek: (topic, time) => log.seek(topic, time),
        topics: (query) => log.topics(query),
        topic: (name) => log.topic(name),
        prune: (retention, at) => log.prune(retention, at),
        compact: (topic, upTo) => log.compact(topic, upTo),
        drop: (topic) => log.drop(topic),
      };
    },
    read: (gauges) => ({
      ...totals,
      ...gauges,
      gaps,
      closes,
      responses,
      appendSeconds: { boundaries: APPEND_BOUNDARIES, counts: appendCounts, sum: appendSum },
    }),
  };
}
