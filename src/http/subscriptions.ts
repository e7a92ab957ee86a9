/** What a reader subscribes to: topics through the broker, collections through what the reader may see of them. */
import type { Principal } from '../auth/principal.ts';
import type { Broker, SubscribeRequest, Subscription } from '../broker/broker.ts';
import { StoreUnavailable } from '../store/store.ts';
import { callerOf } from './caller.ts';
import { ProblemError } from './problem-error.ts';
import type { ServedCollections } from './served-collections.ts';

export interface Subscriptions {
  /**
   * Refuses what can be seen to be wrong before a stream is opened. While the database is away it refuses nothing.
   * @param placeOf where the topics stand in the body, for the problem to name
   * @throws ProblemError `invalid-filter`
   */
  check(requests: readonly SubscribeRequest[], placeOf?: (topic: string) => string): Promise<void>;
  /**
   * Subscribes; in the order of the requests.
   * @param before the reader's subscriptions under an earlier token, by topic
   * @throws StoreUnavailable
   */
  subscribe(
    principal: Principal,
    requests: readonly SubscribeRequest[],
    before?: ReadonlyMap<string, Subscription>,
  ): Promise<readonly Subscription[]>;
}

export function createSubscriptions(broker: Broker, collections: ServedCollections | undefined): Subscriptions {
  const isCollection = ({ topic }: SubscribeRequest) => collections?.has(topic) === true;

  return {
    async check(requests, placeOf) {
      for (const request of requests) {
        if (collections === undefined || !isCollection(request)) continue;
        try {
          const field = await collections.streams.misfit(request);
          if (field !== undefined) throw invalidFilter(field, placeOf && `${placeOf(request.topic)}.filter`);
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
        }
      }
    },
    async subscribe(principal, requests, before) {
      const plain = requests.filter((request) => !isCollection(request));
      const subscriptions = new Map<string, Subscription>();
      try {
        if (collections !== undefined) {
          for (const request of requests.filter(isCollection)) {
            const { topic } = request;
            const outcome = await collections.streams.subscribe(callerOf(principal), request, before?.get(topic));
            if (outcome.kind === 'invalid-filter') throw invalidFilter(outcome.field);
            subscriptions.set(topic, outcome.subscription);
          }
        }
        if (plain.length > 0)
          for (const subscription of await broker.subscribe(plain)) subscriptions.set(subscription.topic, subscription);
      } catch (error) {
        for (const subscription of subscriptions.values()) subscription.close();
        throw error;
      }
      return requests.flatMap(({ topic }) => subscriptions.get(topic) ?? []);
    },
  };
}

function invalidFilter(field: string, path = 'filter'): ProblemError {
  return new ProblemError('invalid-filter', {
    errors: [{ path, message: `${field} does not exist, cannot be filtered by, or cannot have this value` }],
  });
}
