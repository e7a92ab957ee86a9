/** The same hooks, with the types of one application. */
import type { QueryOptions } from '../client/records/collection.ts';
import type { Event } from '../protocol/event.ts';
import type { TopicSnapshot } from './topic-feed.ts';
import type { TopicOptions } from './use-feed.ts';
import { type LiveRecord, useRecord } from './use-record.ts';
import { type Records, useRecords } from './use-records.ts';
import { type TopicView, type UseTopicOptions, useTopic } from './use-topic.ts';
import { useTopicReducer } from './use-topic-reducer.ts';

/** What there is on a server: by topic, what its events hold; by collection, its records. */
export interface Contents {
  readonly topics?: object;
  readonly collections?: object;
}

type Names<Of> = Extract<keyof Of, string>;

export interface Hooks<Topics, Collections> {
  useTopic<Topic extends Names<Topics>>(
    topic: Topic | null | undefined,
    options?: UseTopicOptions,
  ): TopicView<Topics[Topic]>;
  useTopicReducer<Topic extends Names<Topics>, Value>(
    topic: Topic | null | undefined,
    reduce: (value: Value, event: Event<Topics[Topic]>) => Value,
    initial: Value,
    options?: TopicOptions,
  ): TopicSnapshot<Topics[Topic], Value>;
  useRecords<Name extends Names<Collections>>(name: Name, query?: QueryOptions): Records<Collections[Name]>;
  useRecord<Name extends Names<Collections>>(name: Name, key: string | null | undefined): LiveRecord<Collections[Name]>;
}

/**
 * The hooks that read topics and records, knowing what an application has: names that it does not have are no names, and what comes has its
 * types. They are the same functions; nothing is checked when they run.
 *
 * @typeParam Types what there is on the server
 * @example
 * ```ts
 * export const { useTopic, useRecords, useRecord } = createHooks<{
 *   topics: { [room: `chat:${string}`]: { text: string }; votes: { choice: number } };
 *   collections: { orders: Order };
 * }>();
 * ```
 */
export function createHooks<Types extends Contents>(): Hooks<
  Types extends { readonly topics: infer Topics } ? Topics : object,
  Types extends { readonly collections: infer Collections } ? Collections : object
>;
export function createHooks() {
  return { useTopic, useTopicReducer, useRecords, useRecord };
}
