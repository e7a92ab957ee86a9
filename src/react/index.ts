'use client';
/** React hooks over the client (`sluice/react`). React 18.2 or later. */
export { createHooks, type Hooks } from './create-hooks.ts';
export { SluiceProvider, type SluiceProviderProps } from './sluice-provider.ts';
export type { TopicSnapshot } from './topic-feed.ts';
export { useClient } from './use-client.ts';
export { useConnection } from './use-connection.ts';
export { type CursorsView, useCursors } from './use-cursors.ts';
export type { TopicOptions } from './use-feed.ts';
export { type OutboxView, useOutbox } from './use-outbox.ts';
export { type PresenceOptions, type PresenceView, usePresence } from './use-presence.ts';
export { type LiveRecord, useRecord } from './use-record.ts';
export { type RecordActions, type Records, type RecordTypesOf, useRecords } from './use-records.ts';
export { type TopicView, type UseTopicOptions, useTopic } from './use-topic.ts';
export { useTopicReducer } from './use-topic-reducer.ts';
export { type TypingView, useTyping } from './use-typing.ts';
