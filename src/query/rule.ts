/**
 * Rules: what of a cache shows what of a server.
 *
 * A rule is about the queries whose keys begin as one of its `keys` does. While somebody observes one of them, its topic is followed; what
 * comes either makes the queries be fetched again, or is written into what is cached.
 */
import type { QueryKey } from '@tanstack/query-core';
import type { Invalidation } from '../client/records/invalidations.ts';
import type { Event } from '../protocol/event.ts';

/** Queries that show records of a collection. */
export interface CollectionRule {
  readonly collection: string;
  /** How the keys of those queries begin; `[[collection]]` unless told. */
  readonly keys?: readonly QueryKey[] | undefined;
  /** How the keys begin that are to be fetched again when a record has changed; all `keys` unless told. */
  invalidates?(change: Invalidation): readonly QueryKey[];
  /**
   * Writes changes into what is cached, where that is a record or an array of records; what this cannot decide (a record that an array
   * lacks, a record that is gone, data of another shape) is fetched again. Not for queries that choose or order by fields that change.
   */
  readonly update?: boolean | undefined;
  /** The field that counts a record's changes; `version` unless told. */
  readonly version?: string | undefined;
}

/** Queries that show what comes by a topic. */
export interface TopicRule<Cached = unknown, Data = unknown> {
  /** A topic; or which one a query is about, by its key, if any. */
  readonly topic: string | ((queryKey: QueryKey) => string | undefined);
  /** How the keys of those queries begin. */
  readonly keys: readonly QueryKey[];
  /**
   * Makes what is cached of what was, pure. It may be given an event that the data shows already, since the query was fetched after it: that
   * must change nothing. Without it, or where it gives `undefined`, the query is fetched again.
   */
  update?(cached: Cached, event: Event<Data>, queryKey: QueryKey): Cached | undefined;
}

export type Rule = CollectionRule | TopicRule;
