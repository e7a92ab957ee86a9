/**
 * Keeps the cache of TanStack Query right by what a Sluice server tells.
 *
 * **When.** A topic is followed while somebody observes a query that a rule is about, and a second longer. What is cached and not observed
 * is marked as old when the topic begins to be followed, and is kept right with the others until it is let go of.
 * **What.** A query is fetched again (`invalidateQueries`), or what comes is written into it, as its rule says. Nothing is fetched but by
 * TanStack Query itself: what is observed at once, everything else when it is observed.
 * **Missing.** When a topic begins to be followed, and after a gap, all that its rule is about is fetched again: it may be of before.
 */
import type { Query, QueryClient } from '@tanstack/query-core';
import type { Client } from '../client/create-client.ts';
import { createDirectUpdates } from './direct-updates.ts';
import { createLink, type Link } from './link.ts';
import { createRefetch } from './refetch.ts';
import type { Rule } from './rule.ts';

export interface BridgeOptions {
  readonly client: Client;
  readonly queryClient: QueryClient;
  readonly rules: readonly Rule[];
  /** Told what an `update` or `invalidates` threw. Else `console.error`. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** How long a topic is followed when nobody observes its queries any more, in ms. */
const LINGER_MS = 1000;

interface Followed {
  readonly stop: () => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Lets a server keep a cache right.
 *
 * @returns ends it: what is cached stays, and is not kept right any more
 * @example
 * ```ts
 * const stop = bridgeQueries({
 *   client,
 *   queryClient,
 *   rules: [
 *     { collection: 'orders', keys: [['orders'], ['totals']] },
 *     { collection: 'products', update: true },
 *     { topic: 'prices', keys: [['prices']], update: (prices: Prices, { key, data }: Event<number>) => ({ ...prices, [key ?? '']: data }) },
 *   ],
 * });
 * ```
 */
export function bridgeQueries({ client, queryClient, rules, onError = console.error }: BridgeOptions): () => void {
  const cache = queryClient.getQueryCache();
  const refetch = createRefetch(queryClient);
  const updates = createDirectUpdates(queryClient, refetch, onError);
  const context = { client, queryClient, refetch, updates, onError };
  const links = new Map(rules.map((rule) => [createLink(rule, context), new Map<string, Followed>()]));
  const observed = new Set<Query>(cache.findAll({ type: 'active' }));
  let isLooking = false;

  function look(link: Link, followed: Map<string, Followed>): void {
    const wanted = new Set<string | undefined>();
    for (const query of link.queries()) if (observed.has(query)) wanted.add(link.topicOf(query.queryKey));
    for (const topic of wanted) {
      if (topic === undefined) continue;
      const known = followed.get(topic) ?? { stop: link.follow(topic), timer: undefined };
      clearTimeout(known.timer);
      known.timer = undefined;
      followed.set(topic, known);
    }
    for (const [topic, known] of followed) {
      if (wanted.has(topic)) continue;
      known.timer ??= setTimeout(() => {
        followed.delete(topic);
        known.stop();
      }, LINGER_MS);
    }
  }

  /** Once a turn, however many queries come and go. */
  function lookSoon(): void {
    if (isLooking) return;
    isLooking = true;
    queueMicrotask(() => {
      isLooking = false;
      for (const [link, followed] of links) look(link, followed);
    });
  }

  const unsubscribe = cache.subscribe((event) => {
    updates.heed(event);
    refetch.heed(event);
    const { type, query } = event;
    if (type === 'updated' || type === 'observerResultsUpdated') return;
    const isObserved = type !== 'removed' && query.isActive();
    if (isObserved === observed.has(query)) return;
    if (isObserved) observed.add(query);
    else observed.delete(query);
    lookSoon();
  });
  lookSoon();

  return () => {
    unsubscribe();
    for (const followed of links.values())
      for (const { stop, timer } of followed.values()) {
        clearTimeout(timer);
        stop();
      }
    links.clear();
  };
}
