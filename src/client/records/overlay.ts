/**
 * What the client's own writes make of a record before the server's stream shows them.
 *
 * A write lies over the base, the record as the server told it, from when it is enqueued until the base shows it: over every newer base it
 * is applied again. What the server answered takes the place of the guess, so that nothing older shows while the stream is behind.
 */
import type { Mutation, Row, Write } from '../mutation.ts';
import { isRow, merge } from './json.ts';
import { type RecordFields, withKey } from './record-key.ts';

export type RecordWrite = Exclude<Write, { readonly kind: 'publish' }>;

/** A write that lies over a record. */
export interface Overlaid extends Pick<Mutation, 'state' | 'answer'> {
  readonly write: RecordWrite;
}

/** The record as it shows: the base with all writes over it, in their order. @param key under which it is shown */
export function overlay(
  base: Row | undefined,
  key: string,
  writes: readonly Overlaid[],
  { key: fields, version }: RecordFields,
): Row | undefined {
  let row = base;
  for (const { write, state, answer } of writes) {
    const told = isRow(answer?.body) ? answer.body : undefined;
    if (state === 'dead') continue;
    if (write.kind === 'delete') row = undefined;
    else if (write.kind === 'patch') row &&= told ?? merge(row, write.patch, true);
    // A record that is there already will be refused, or is this one.
    else if (write.kind === 'create') row = told ?? row ?? withKey(write.record, key, fields);
    else row = told ?? withKey({ [version]: row?.[version], ...write.record }, key, fields);
  }
  return row;
}
