/** What a node has counted and holds now: plain numbers, read when somebody asks for metrics. */
import type { CloseReason, GapReason } from '../protocol/control.ts';

/** Times counted by size. */
export interface HistogramCounts {
  /** Upper bounds in seconds, ascending. */
  readonly boundaries: readonly number[];
  /** How many were at most each bound and above the one before; one longer, for what is above the last. */
  readonly counts: readonly number[];
  /** All of them together, in seconds. */
  readonly sum: number;
}

/** Totals count since the process began. */
export interface NodeStats {
  /** Events appended to a log, and the publishes that brought them. */
  readonly publishedEvents: number;
  readonly publishRequests: number;
  readonly ephemeralEvents: number;
  /** Events and bytes written to streams. */
  readonly deliveredEvents: number;
  readonly deliveredBytes: number;
  /** Streams open now, by format. */
  readonly streams: Readonly<Record<string, number>>;
  readonly subscriptions: number;
  /** Topics that this node holds in memory, because somebody reads them. */
  readonly liveTopics: number;
  /** Topics whose members streams of this node are told of, and streams that keep leases of presence alive. */
  readonly watchedTopics: number;
  readonly leaseStreams: number;
  /** Reads of the log by subscriptions: catching up, and falling behind. */
  readonly logReads: number;
  readonly gaps: Readonly<Record<GapReason, number>>;
  readonly appendFailures: number;
  /** Transactions that appends shared. */
  readonly appendBatches: number;
  /** From the call of an append to its answer. */
  readonly appendSeconds: HistogramCounts;
  readonly busConnected: boolean;
  readonly busDropped: number;
  /** Answers by the first digit of their status: 2 for 2xx. */
  readonly responses: Readonly<Record<'1' | '2' | '3' | '4' | '5', number>>;
  /** Streams ended, by what ended them; `gone` is a client that went away. */
  readonly closes: Readonly<Record<CloseReason | 'gone', number>>;
  readonly prunedEvents: number;
}
