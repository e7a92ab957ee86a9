/** A topic as a cache follows it: once a turn what has come, and whenever something may be missing. */
import type { Client } from '../client/create-client.ts';
import type { Event } from '../protocol/event.ts';

export interface TopicFollower {
  /** In order, at least one. */
  events(events: readonly Event[]): void;
  /** What is cached may be old: it was read before the stream began, or events are missing. */
  missed(): void;
}

/** @returns ends it */
export function followTopic(
  client: Pick<Client, 'subscribe'>,
  topic: string,
  { events, missed }: TopicFollower,
): () => void {
  let come: Event[] = [];
  let isLive = false;

  function tell(): void {
    const told = come;
    come = [];
    if (told.length > 0) events(told);
  }

  const subscription = client.subscribe(
    topic,
    {},
    {
      onEvent(event) {
        if (come.length === 0) queueMicrotask(tell);
        come.push(event);
      },
      onGap: missed,
      onState({ kind }) {
        if (kind !== 'live' || isLive) return;
        isLive = true;
        missed();
      },
    },
  );
  return () => {
    subscription.close();
    come = [];
  };
}
