import type { Broker, SubscribeRequest, Subscription } from './broker.ts';

/** Prepares one subscription. @throws StoreUnavailable when the log cannot be reached */
export async function subscribeOne(
  broker: Pick<Broker, 'subscribe'>,
  request: SubscribeRequest,
): Promise<Subscription> {
  const [subscription] = await broker.subscribe([request]);
  if (subscription === undefined) throw new Error('the broker gave too few subscriptions');
  return subscription;
}
