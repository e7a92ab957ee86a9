/** The events of a collection's topic (protocol section 6.6), as a local copy takes them. */
import type { Event } from '../../protocol/event.ts';
import type { Row } from '../mutation.ts';
import { isRow } from './json.ts';

/** What became of one record. */
export type RecordChange = {
  readonly key: string;
  /** Of the record after the change; of one that is gone, the last. */
  readonly version: number;
  /** The `Idempotency-Key` of the write that did it, where that is known. */
  readonly mutation?: string | undefined;
} & (
  | {
      readonly kind: 'put';
      /** Whether it was not among those that are looked at before. */
      readonly isNew: boolean;
      readonly row: Row;
      /** Fields that the row lacks, because they are large. */
      readonly omitted: readonly string[];
      /** The fields that changed, where that is known. */
      readonly changed: readonly string[] | undefined;
    }
  /** Deleted, or not among those that are looked at any more. */
  | { readonly kind: 'delete' }
);

/** @returns `undefined` for an event that tells of no record */
export function readRecordChange({ type, key, data, mutation }: Event): RecordChange | undefined {
  if (key === undefined || !isRow(data) || typeof data['version'] !== 'number') return undefined;
  const { new: row, version, omitted, changed } = data;
  if (type === 'delete') return { kind: 'delete', key, version, mutation };
  if ((type !== 'insert' && type !== 'update') || !isRow(row)) return undefined;
  return {
    kind: 'put',
    key,
    version,
    mutation,
    isNew: type === 'insert',
    row,
    omitted: texts(omitted) ?? [],
    changed: texts(changed),
  };
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined;
}
