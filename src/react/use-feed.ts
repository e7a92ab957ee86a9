/** What `useTopic` and `useTopicReducer` have in common. */
import { useInsertionEffect, useMemo, useSyncExternalStore } from 'react';
import type { SubscribeOptions } from '../client/subscription.ts';
import type { Event } from '../protocol/event.ts';
import { type Fold, TopicFeed, type TopicSnapshot } from './topic-feed.ts';
import { useClient } from './use-client.ts';
import { useSame } from './use-same.ts';

/** As of `client.subscribe`. As long as they say the same, they may be another object. */
export type TopicOptions = Omit<SubscribeOptions, 'presence'>;

/** @param initial counts when the topic or the options become others @param fold that of the last render is used */
export function useFeed<Data, Value>(
  topic: string | null | undefined,
  options: TopicOptions,
  initial: Value,
  fold: Fold<Data, Value>,
): TopicSnapshot<Event<Data>, Value> {
  const client = useClient();
  const asked = useSame(options);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another `initial` is no reason to begin anew, and the fold is set below
  const feed = useMemo(() => new TopicFeed(client, topic ?? undefined, asked, initial, fold), [client, topic, asked]);
  useInsertionEffect(() => {
    feed.fold = fold;
  }, [feed, fold]);
  return useSyncExternalStore(feed.subscribe, feed.getSnapshot, feed.getServerSnapshot);
}
