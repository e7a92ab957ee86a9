/** Where the changes of captured tables go: each collection's to its own log, and a word of those that its visibility depends on. */
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { encodeEventBody } from '../protocol/event.ts';
import { type CapturedChange, toEventBodies } from './change-event.ts';
import { type Collection, quoteName } from './collection.ts';
import { keyOfImage } from './record-key.ts';
import { DEPENDENCY_TYPE } from './seen-change.ts';

export interface CaptureTarget {
  readonly topic: string;
  toBodies(change: CapturedChange): readonly string[];
  keyOf?(image: string): string;
}

/** A table that must be captured, as SQL writes it, and what becomes of its changes. */
export interface WantedCapture {
  readonly table: string;
  readonly target: CaptureTarget;
}

/** What must be captured for the collections to be live. A table may be wanted more than once. */
export function wantedCaptures(collections: readonly Collection[]): readonly WantedCapture[] {
  return collections.flatMap((collection) => [
    { table: collection.sqlName, target: changesOf(collection) },
    ...dependenciesOf(collection).map((table) => ({ table, target: wordOf(collection, table) })),
  ]);
}

/** The tables, as SQL writes them, whose changes can change what callers of the collection see. */
export function dependenciesOf({ visibility }: Collection): readonly string[] {
  if (visibility.kind !== 'rls') return [];
  return [...new Set(visibility.dependsOn.map(({ table }) => sqlNameOf(table)))];
}

function changesOf(collection: Collection): CaptureTarget {
  return {
    topic: collection.name,
    toBodies: (change) => toEventBodies(collection, change),
    keyOf: (image) => keyOfImage(collection, image),
  };
}

function wordOf({ name }: Collection, table: string): CaptureTarget {
  const body = encodeEventBody({ type: DEPENDENCY_TYPE, data: { table } });
  return { topic: name, toBodies: () => [body] };
}

function sqlNameOf(table: PgTable): string {
  const { schema, name } = getTableConfig(table);
  return schema === undefined ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
}
