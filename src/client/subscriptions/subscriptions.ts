/** All subscriptions of a client: which stream reads what for whom. */

import type { Event } from '../../protocol/event.ts';
import type { Connection, ConnectionContext, ConnectionView } from '../connection/connection.ts';
import type { Subscribe } from '../subscription.ts';
import { createLiveSubscription, type LiveSubscription } from './live-subscription.ts';
import { plan } from './plan.ts';
import { createTopicStream, type TopicStreamObserver } from './topic-stream.ts';

export interface SubscriptionsOptions extends ConnectionContext {
  /** The most topics of one stream; what the server allows, if that is less. */
  readonly topics: number;
  /** The most streams: one for all topics, others only where a topic is to be read in several ways. */
  readonly streams: number;
  readonly onChange: () => void;
  readonly onEvent?: ((event: Event) => void) | undefined;
  readonly onError: (error: unknown) => void;
}

export interface Subscriptions {
  readonly subscribe: Subscribe;
  /** Whether anybody subscribes to the topic. */
  reads(topic: string): boolean;
  readonly connections: readonly Connection[];
  /** What is known of the connection for all topics. */
  view(): ConnectionView;
  /** Tries again what was refused: there is another token. */
  retryRefused(): void;
  /** Who reads for them has changed. */
  reopen(): void;
  close(): void;
}

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { streams: mostStreams, onChange, onError } = options;
  const all = new Set<LiveSubscription>();
  let mostTopics = options.topics;
  let planned = false;
  let isClosed = false;
  const observer: TopicStreamObserver = {
    changed: onChange,
    onEvent: options.onEvent,
    onError,
    refused(subscriptions, code) {
      for (const subscription of subscriptions) subscription.enter({ kind: 'refused', code });
      apply();
    },
    tooMany(topics) {
      mostTopics = Math.max(1, topics);
      apply();
    },
  };
  const main = createTopicStream(observer, options);
  // All are made at once: one that is assigned nothing opens no connection.
  const streams = [main];
  while (streams.length < mostStreams) streams.push(createTopicStream(observer, options));

  /** Once a turn, however many come and go. */
  function changed(): void {
    if (!planned) queueMicrotask(apply);
    planned = true;
  }

  function apply(): void {
    planned = false;
    for (const subscription of all) if (subscription.state.kind === 'closed') all.delete(subscription);
    const wanted = [...all].filter(({ state, suspended }) => state.kind !== 'refused' && !suspended());
    const next = plan(wanted, { topics: mostTopics, streams: mostStreams });
    for (const subscription of all) {
      const why = next.parked.get(subscription);
      if (why || !wanted.includes(subscription)) subscription.wire = undefined;
      if (why) subscription.enter({ kind: 'parked', why });
    }
    streams.forEach(({ assign }, index) => {
      assign(next.streams[index] ?? new Map());
    });
  }

  return {
    reads: (topic) => [...all].some((subscription) => subscription.topic === topic),
    connections: streams.map(({ connection }) => connection),
    view: main.connection.view,
    subscribe(topic, subscribeOptions = {}, observer = {}) {
      const subscription = createLiveSubscription(topic, subscribeOptions, observer, { changed, onError });
      all.add(subscription);
      if (isClosed) subscription.close();
      changed();
      return subscription;
    },
    retryRefused() {
      for (const subscription of all)
        if (subscription.state.kind === 'refused') subscription.enter({ kind: 'waiting' });
      apply();
    },
    reopen() {
      for (const { connection } of streams) connection.reopen();
    },
    close() {
      isClosed = true;
      for (const subscription of all) subscription.close();
      apply();
    },
  };
}
