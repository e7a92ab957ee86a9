/** The client (`sluice/client`), for browsers, Node and workers. */
export { type ConnectOptions, connect, type Link } from './connect.ts';
export { type Fallback, longPoll, type Obstacle } from './connection/fallback.ts';
export type { Trouble } from './connection/state.ts';
export type { OpenTransport } from './connection/transport.ts';
export { type Client, type ClientOptions, type ClientStatus, createClient } from './create-client.ts';
export type { Environment, Signals } from './environment.ts';
export type { Mutation, MutationRefusal, MutationState, Row, Write } from './mutation.ts';
export type { Conflict, Resolution, Resolve } from './outbox/conflict.ts';
export type { Confirmed, Enqueued, Outbox } from './outbox/outbox.ts';
export { OutboxError, type OutboxErrorCode } from './outbox/outbox-error.ts';
export type { Fleeting } from './presence/fleeting.ts';
export type { Membership, MembershipState } from './presence/membership.ts';
export type { Presence } from './presence/presence.ts';
export type { Quality } from './quality.ts';
export type { Collection, CollectionOptions, QueryOptions, WriteOptions } from './records/collection.ts';
export type { Invalidation } from './records/invalidations.ts';
export type { LiveQuery, QuerySnapshot, QueryState } from './records/live-query.ts';
export { isTemporaryKey } from './records/record-key.ts';
export type { FieldOrders } from './records/row-order.ts';
export { type ThreeWayMerge, threeWay } from './records/three-way.ts';
export type { Answer, Refusal, Request, RequestOptions } from './request.ts';
export type { Status } from './status.ts';
export type {
  MissingEvents,
  PresenceChange,
  PresentMember,
  Priority,
  Subscribe,
  SubscribeOptions,
  Subscription,
  SubscriptionObserver,
  SubscriptionState,
} from './subscription.ts';
export { SubscriptionRefused } from './subscriptions/subscription-refused.ts';
export type { TokenOption } from './token.ts';
export type {
  TypedCollection,
  TypedObserver,
  TypedQuery,
  TypedSubscription,
} from './typed-client.ts';
