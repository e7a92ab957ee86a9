/** The events of a topic, as they come. */
import { useMemo } from 'react';
import type { Event } from '../protocol/event.ts';
import type { TopicSnapshot } from './topic-feed.ts';
import { type TopicOptions, useFeed } from './use-feed.ts';

export interface UseTopicOptions extends TopicOptions {
  /** How many events are kept, the newest; 100 unless told. */
  readonly keep?: number | undefined;
}

export interface TopicView<Each = Event> extends Omit<TopicSnapshot<Each, unknown>, 'value'> {
  /** In order, the newest last; ephemeral ones between. The same array while none has come. */
  readonly events: readonly Each[];
}

const KEEP = 100;
const NONE: readonly never[] = [];

/**
 * Follows a topic while the component is shown. However many components follow it, it is read once, as long as they ask for the same
 * `filter`, `types` and `conflate`.
 *
 * After a gap, a topic that was asked for with history (`last`, `since`, `after: 'earliest'`) is read from there again, in the place of what
 * was shown; any other goes on. `gap` says that something was missing.
 *
 * @typeParam Data what events hold; nobody checks it here
 * @param topic `undefined` or `null` while there is none: then nothing is read, and `state` is `closed`
 * @example
 * ```tsx
 * const { events, state } = useTopic<{ text: string }>('chat:lobby', { last: 20 });
 * return events.map(({ id, data }) => <p key={id}>{data.text}</p>);
 * ```
 */
export function useTopic<Data = unknown>(
  topic: string | null | undefined,
  { keep = KEEP, ...options }: UseTopicOptions = {},
): TopicView<Event<Data>> {
  const { value, last, gap, state } = useFeed<Data, readonly Event<Data>[]>(topic, options, NONE, (kept, coming) => {
    const all = [...kept, ...coming];
    return all.slice(Math.max(0, all.length - keep));
  });
  return useMemo(() => ({ events: value, last, gap, state }), [value, last, gap, state]);
}
