/** A rule at work: which topic a query is about, and what is done with what comes. */
import type { Query, QueryClient, QueryKey } from '@tanstack/query-core';
import type { Client } from '../client/create-client.ts';
import type { Invalidation } from '../client/records/invalidations.ts';
import type { DirectUpdates, Update } from './direct-updates.ts';
import { followTopic } from './follow-topic.ts';
import type { Refetch } from './refetch.ts';
import type { CollectionRule, Rule, TopicRule } from './rule.ts';
import { updateRecords } from './update-records.ts';

export interface Link {
  /** The queries that it is about. */
  queries(): Iterable<Query>;
  topicOf(queryKey: QueryKey): string | undefined;
  /** @returns ends it */
  follow(topic: string): () => void;
}

export interface LinkContext {
  readonly client: Client;
  readonly queryClient: QueryClient;
  readonly refetch: Refetch;
  readonly updates: DirectUpdates;
  readonly onError: (error: unknown) => void;
}

export function createLink(rule: Rule, context: LinkContext): Link {
  return 'collection' in rule ? linkCollection(rule, context) : linkTopic(rule, context);
}

function linkTopic({ topic, keys, update }: TopicRule, context: LinkContext): Link {
  const topicOf = typeof topic === 'string' ? () => topic : topic;
  const queries = () => under(keys, context);
  return {
    queries,
    topicOf,
    follow: (name) =>
      followAndUpdate(name, () => [...queries()].filter(({ queryKey }) => topicOf(queryKey) === name), update, context),
  };
}

function linkCollection(rule: CollectionRule, context: LinkContext): Link {
  const { collection: name, keys = [[name]], update = false, version = 'version' } = rule;
  const collection = context.client.collection(name);
  const queries = () => under(keys, context);
  const updateThose: Update = (cached, event) => updateRecords(cached, event, { keyOf: collection.keyOf, version });

  function invalidated(change: Invalidation): Iterable<Query> {
    // What was missed may be of any of them.
    if (change.key === undefined || rule.invalidates === undefined) return queries();
    try {
      return under(rule.invalidates(change), context);
    } catch (error) {
      context.onError(error);
      return queries();
    }
  }

  return {
    queries,
    topicOf: () => name,
    follow: () =>
      update
        ? followAndUpdate(name, queries, updateThose, context)
        : collection.onInvalidate((changes) => {
            const old = new Set<Query>();
            for (const change of changes) for (const query of invalidated(change)) old.add(query);
            context.refetch.mark(old);
          }),
  };
}

function followAndUpdate(
  topic: string,
  queries: () => Iterable<Query>,
  update: Update | undefined,
  { client, refetch, updates }: LinkContext,
): () => void {
  const missed = () => refetch.mark(queries());
  return followTopic(client, topic, {
    missed,
    events(events) {
      if (update === undefined) return missed();
      for (const query of queries()) updates.take(query, events, update);
    },
  });
}

/** The cached queries whose keys begin so, each once. */
function under(keys: readonly QueryKey[], { queryClient }: LinkContext): ReadonlySet<Query> {
  const cache = queryClient.getQueryCache();
  return new Set(keys.flatMap((queryKey) => cache.findAll({ queryKey })));
}
