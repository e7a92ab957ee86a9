/**
 * The store's port: what a topic's log promises, whatever keeps it.
 *
 * **Order.** Every topic has its own `seq`, 1, 2, 3 … without holes, in commit order. Events of one append are adjacent.
 * **Durability.** When `append` answers, the events are as safe as the medium can make them (`memory`: until the process
 * ends). An append that fails with {@link StoreUnavailable} may or may not have happened: only an idempotency key tells.
 * **Atomicity.** One append is all or nothing, its idempotency record included.
 * **Epochs.** A log that is lost, dropped or restored comes back under another epoch, so that an old cursor is recognised. A
 * topic that was never written to reads as empty under the epoch that it will have: reading creates nothing.
 * **Limits.** Each method says its own. No method ever answers with more than it was asked for.
 */
import type { Cursor } from '../protocol/cursor.ts';
import type { EventBody } from '../protocol/event.ts';
import type { AuditStore } from './audit-store.ts';
import type { PresenceStore } from './presence-store.ts';

/** One publish, to be appended to one topic. */
export interface Append {
  readonly topic: string;
  /** At least one; appended in this order, adjacent, all at the same time. */
  readonly bodies: readonly EventBody[];
  readonly idempotency?: Idempotency | undefined;
}

/** The identity of a write that may be sent twice. Remembered for 24 h (`IDEMPOTENCY_MS`). */
export interface Idempotency {
  /** Whose key this is: keys of different callers never meet. */
  readonly scope: string;
  readonly key: string;
  /** A digest of all that must be equal for the write to be the same one. */
  readonly digest: string;
}

/** What became of an append. `first` is the seq of its first event, `time` its time in ms since 1970. */
export type Appended =
  | {
      readonly kind: 'appended' | 'replayed';
      readonly epoch: string;
      readonly first: number;
      readonly count: number;
      readonly time: number;
    }
  /** The key was used for another write; nothing was appended. */
  | { readonly kind: 'mismatch' };

/** Adjacent events of one append: `bodies[i]` has seq `first + i`. */
export interface StoredBatch {
  readonly first: number;
  readonly time: number;
  /** An empty string stands where compaction took an event away. */
  readonly bodies: readonly EventBody[];
}

/** Where a topic's log begins and ends. */
export interface LogRange {
  readonly epoch: string;
  /** Seq of the oldest event still kept; `latest + 1` when none is. */
  readonly oldest: number;
  /** Seq of the newest event; 0 when there never was one. */
  readonly latest: number;
}

/** A stretch of a topic's log and the range that it was read from, of one moment. */
export interface LogPage extends LogRange {
  /** Ascending, the first possibly reaching back to or before `after`: the reader skips what it has. */
  readonly batches: readonly StoredBatch[];
}

/** What operators see of a topic. */
export interface TopicStatus extends LogRange {
  readonly topic: string;
  /** Bytes of bodies kept. */
  readonly bytes: number;
  /** When it was last appended to, ms since 1970. */
  readonly updated: number;
}

/** Which topics are asked about. */
export interface TopicQuery {
  readonly prefix?: string | undefined;
  /** Only names after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** What may be forgotten. A member that is absent sets no bound. */
export interface Retention {
  /** Events older than so many milliseconds. */
  readonly ageMs?: number | undefined;
  /** All but the newest so many events of a topic. */
  readonly events?: number | undefined;
  /** The oldest events of a topic while its bodies exceed so many bytes. */
  readonly bytes?: number | undefined;
}

export interface LogStore {
  /**
   * Appends. Concurrent calls are committed together.
   * @throws StoreUnavailable when the medium cannot be reached in time, or too much waits already
   */
  append(append: Append): Promise<Appended>;

  /** Reads on after `after` (a seq; 0 reads from the beginning): at least one event if there is one, at most about `limit` events. */
  read(topic: string, after: number, limit: number): Promise<LogPage>;

  /** The ranges of many topics at one moment, in the order asked. */
  ranges(topics: readonly string[]): Promise<readonly LogRange[]>;

  /** The cursor just before the first event at or after `time` (ms since 1970): reading on from it gives all since then. */
  seek(topic: string, time: number): Promise<Cursor>;

  /** Topics with at least one append, by name in code point order, at most `limit`, after the name `after`. */
  topics(query: TopicQuery): Promise<readonly TopicStatus[]>;

  /** One topic, or `undefined` when nothing was ever appended to it. */
  topic(name: string): Promise<TopicStatus | undefined>;

  /**
   * Forgets what `retention` lets go, in steps small enough that no append waits for more than a moment.
   * Idempotency records past their time go too.
   * @param now ms since 1970
   * @returns how many events were let go
   */
  prune(retention: (topic: string) => Retention, now: number): Promise<number>;

  /**
   * Keeps only the newest event of each key; events without a key stay. Holes keep their seq.
   * @param upTo only events at or before this seq are taken away
   * @returns how many events were taken away
   */
  compact(topic: string, upTo: number): Promise<number>;

  /** Forgets the topic's events and gives it a new epoch. */
  drop(topic: string): Promise<void>;
}

/** A revocation: tokens of a subject issued before `at`, or one token or ticket by its id. */
export type Revocation =
  | { readonly kind: 'sub'; readonly value: string; readonly at: number }
  | { readonly kind: 'jti'; readonly value: string; readonly at: number };

export interface RevocationStore {
  add(revocation: Revocation): Promise<void>;
  /**
   * What was revoked since a position, oldest first, at most 1,000.
   * @param after 0, or the `position` of an earlier answer
   */
  since(
    after: number,
  ): Promise<{ readonly revocations: readonly Revocation[]; readonly position: number; readonly more: boolean }>;
}

/** All that a node keeps. */
export interface Store {
  readonly log: LogStore;
  readonly revocations: RevocationStore;
  /** Who read what. Without it, nothing is noted. */
  readonly audit?: AuditStore;
  /** Who is at a topic. Without it, nobody is. */
  readonly presence?: PresenceStore;
  /** A random secret of 32 bytes, made at first use, the same on every node. */
  secret(name: string): Promise<Uint8Array>;
  /** Resolves when the store can append and read; rejects with {@link StoreUnavailable}. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** The medium cannot be reached, or is too slow. Whoever waits may try again later. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  readonly code = 'store-unavailable';
}
