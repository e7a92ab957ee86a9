/** A value made of the events of a topic. */
import type { Event } from '../protocol/event.ts';
import type { TopicSnapshot } from './topic-feed.ts';
import { type TopicOptions, useFeed } from './use-feed.ts';

/**
 * Follows a topic as `useTopic` does, and makes one value of its events instead of keeping them, as React's `useReducer` does of actions.
 *
 * After a gap, a topic that was asked for with history is read from there again, beginning with `initial`; any other goes on.
 *
 * @param reduce pure; what it throws is thrown where the component is rendered. It may close over what changes: that of the last render is used
 * @param initial what there is before the first event
 * @example
 * ```tsx
 * const { value: votes } = useTopicReducer('votes', (sum: number) => sum + 1, 0, { after: 'earliest' });
 * ```
 */
export function useTopicReducer<Value, Data = unknown>(
  topic: string | null | undefined,
  reduce: (value: Value, event: Event<Data>) => Value,
  initial: Value,
  options: TopicOptions = {},
): TopicSnapshot<Event<Data>, Value> {
  return useFeed<Data, Value>(topic, options, initial, (value, events) => {
    let next = value;
    for (const event of events) next = reduce(next, event);
    return next;
  });
}
