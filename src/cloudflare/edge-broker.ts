/** The broker of a Worker: each topic is its object's. */
import type { Broker, Origin, SubscribeRequest, Subscription } from '../broker/broker.ts';
import type { RealtimeObserver } from '../http/observer.ts';
import { type EventInput, encodeEventBody } from '../protocol/event.ts';
import type { Appended } from '../store/store.ts';
import { reach } from './away.ts';
import { type Bindings, topicOf } from './bindings.ts';
import { EdgeSubscription } from './edge-subscription.ts';
import { openTopicSocket } from './topic-socket.ts';

export interface EdgeBrokerOptions {
  readonly bindings: Bindings;
  readonly clock: () => number;
  /** Keeps the request alive until something is done. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  /** How many read a topic, as far as that was asked. */
  readonly subscribers: (topic: string) => number;
  readonly observer: Pick<RealtimeObserver, 'onPublish' | 'onEphemeral'>;
  readonly onFault: (error: unknown) => void;
}

export function createEdgeBroker({
  bindings,
  clock,
  waitUntil,
  subscribers,
  observer,
  onFault,
}: EdgeBrokerOptions): Broker {
  return {
    async publish(topic: string, events: readonly EventInput[], origin: Origin = {}): Promise<Appended> {
      const bodies = events.map((event) => encodeEventBody(event, origin));
      const appended = await reach(topicOf(bindings, topic).append({ topic, bodies, idempotency: origin.idempotency }));
      if (appended.kind === 'appended') observer.onPublish?.(bodies.length);
      return appended;
    },
    publishEphemeral(topic, events, origin = {}) {
      const time = clock();
      const bodies = events.map((event) => encodeEventBody(event, origin));
      observer.onEphemeral?.(bodies.length);
      waitUntil(topicOf(bindings, topic).ephemeral(topic, time, bodies).catch(onFault));
      return time;
    },
    async subscribe(requests: readonly SubscribeRequest[]): Promise<readonly Subscription[]> {
      const opened = await Promise.allSettled(
        requests.map((request) =>
          EdgeSubscription.open({
            request,
            connect: (events, observer) => openTopicSocket(bindings, { topic: request.topic, events }, observer),
          }),
        ),
      );
      const failed = opened.find((each) => each.status === 'rejected');
      const subscriptions = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      if (failed === undefined) return subscriptions;
      for (const subscription of subscriptions) subscription.close();
      throw failed.reason;
    },
    subscribers,
    async close() {},
  };
}
