/** The same hooks, with the types of one app. */
import type { Client } from '../client/create-client.ts';
import type { Row } from '../client/mutation.ts';
import type { QueryOptions } from '../client/records/collection.ts';
import type { Definition, DefinitionOf, EventOf } from '../protocol/definition.ts';
import type { TopicSnapshot } from './topic-feed.ts';
import { useClient } from './use-client.ts';
import type { TopicOptions } from './use-feed.ts';
import { type LiveRecord, useRecord } from './use-record.ts';
import { type Records, type RecordTypesOf, useRecords } from './use-records.ts';
import { type TopicView, type UseTopicOptions, useTopic } from './use-topic.ts';
import { useTopicReducer } from './use-topic-reducer.ts';

/** The app's collections; where they are not known, any. */
type NameIn<Of extends Definition> = [keyof Of['collections']] extends [never]
  ? string
  : keyof Of['collections'] & string;

type TypesOf<Of extends Definition, Name extends string> = Name extends keyof Of['collections']
  ? Of['collections'][Name]
  : RecordTypesOf<Row>;

/** The hooks that know what there is on a server. The others are the same for every app. */
export interface Hooks<App, Of extends Definition = DefinitionOf<App>> {
  useClient(): Client<App>;
  useTopic<const Topic extends string>(
    topic: Topic | null | undefined,
    options?: UseTopicOptions,
  ): TopicView<EventOf<Of, Topic>>;
  useTopicReducer<const Topic extends string, Value>(
    topic: Topic | null | undefined,
    reduce: (value: Value, event: EventOf<Of, Topic>) => Value,
    initial: Value,
    options?: TopicOptions,
  ): TopicSnapshot<EventOf<Of, Topic>, Value>;
  useRecords<const Name extends NameIn<Of>>(name: Name, query?: QueryOptions): Records<TypesOf<Of, Name>>;
  useRecord<const Name extends NameIn<Of>>(name: Name, key: string | null | undefined): LiveRecord<TypesOf<Of, Name>>;
}

/**
 * The hooks that read topics and records, knowing what the server's code says of them: names of collections that it does not have are no
 * names, and what comes has its types. They are the same functions; nothing is checked when they run.
 *
 * @typeParam App `typeof app`, of what `createRealtime` made
 * @example
 * ```ts
 * // hooks.ts
 * import type { app } from '../server.ts';
 * export const { useClient, useTopic, useRecords, useRecord } = createHooks<typeof app>();
 * ```
 */
export function createHooks<App>(): Hooks<App>;
export function createHooks(): object {
  return { useClient, useTopic, useTopicReducer, useRecords, useRecord };
}
