/** The client's types where the app's definitions are known: `createClient<typeof app>()`. At run time there is no difference. */
import type { Definition, EventOf, InputOf, RecordTypes } from '../protocol/definition.ts';
import type { Row } from './mutation.ts';
import type { Enqueued } from './outbox/outbox.ts';
import type { Collection, WriteOptions } from './records/collection.ts';
import type { LiveQuery, QuerySnapshot } from './records/live-query.ts';
import type { Subscribe, SubscribeOptions, Subscription, SubscriptionObserver } from './subscription.ts';

/** Subscribes; where the topic is one that the app defines, its events are known. */
export interface TypedSubscribe<Of extends Definition> extends Subscribe {
  <const Topic extends string>(
    topic: Topic,
    options?: SubscribeOptions,
    observer?: TypedObserver<EventOf<Of, Topic>>,
  ): TypedSubscription<EventOf<Of, Topic>>;
}

export interface TypedObserver<Each> extends Omit<SubscriptionObserver, 'onEvent'> {
  onEvent?(event: Each): void;
}

export interface TypedSubscription<Each> extends Omit<Subscription, typeof Symbol.asyncIterator>, AsyncIterable<Each> {}

/** Publishes; where the topic is one that the app defines, only what it defines. */
export type TypedPublish<Of extends Definition> = <const Topic extends string>(
  topic: Topic,
  events: InputOf<Of, Topic> | readonly InputOf<Of, Topic>[],
) => Enqueued;

/** Opens a collection of the app; where its collections are not known, any. */
export type TypedCollections<Of extends Definition> = [keyof Of['collections']] extends [never]
  ? (name: string) => Collection<Enqueued>
  : <const Name extends keyof Of['collections'] & string>(name: Name) => TypedCollection<Of['collections'][Name]>;

export interface TypedQuery<Shown> extends Omit<LiveQuery, 'getSnapshot'> {
  readonly getSnapshot: () => Omit<QuerySnapshot, 'rows'> & { readonly rows: readonly Shown[] };
}

export interface TypedCollection<Of extends RecordTypes>
  extends Omit<Collection<Enqueued>, 'query' | 'record' | 'create' | 'update' | 'replace' | 'keyOf'> {
  query(...options: Parameters<Collection<Enqueued>['query']>): TypedQuery<Of['record']>;
  record(key: string): TypedQuery<Of['record']>;
  create(record: Of['insert']): Enqueued;
  update(key: string, patch: Of['patch'], options?: WriteOptions): Enqueued;
  replace(key: string, record: Of['replace'], options?: WriteOptions): Enqueued;
  keyOf(row: Of['record'] | Row): string | undefined;
}
