/**
 * What the client's own writes make of a record before the server's stream shows them.
 *
 * A write lies over the base, the record as the server told it, from when it is enqueued until the base shows it: over every newer base it
 * is applied again. What the server answered takes the place of the guess, so that nothing older shows while the stream is behind.
 */
import type { Mutation, Row } from '../mutation.ts';
import { isRow, patchRow } from './json.ts';
import { type RecordFields, withKey } from './record-key.ts';

/** A write that lies over a record. */
export interface Overlaid {
  readonly mutation: Mutation;
  /**
   * The version of the base when the write was first known, 0 without a base. A record that was put there at a version that is no newer is
   * another one of the same key: the base must lose the old one before it can show it.
   */
  readonly floor: number;
}

/** The record as it shows: the base with all writes over it, in their order. @param key under which it is shown */
export function overlay(
  base: Row | undefined,
  key: string,
  writes: readonly Overlaid[],
  fields: RecordFields,
): Row | undefined {
  let row = base;
  for (const { mutation } of writes) {
    const { write, state, answer } = mutation;
    if (state === 'dead' || write.kind === 'publish') continue;
    const told = state === 'acknowledged' && isRow(answer?.body) ? answer.body : undefined;
    switch (write.kind) {
      case 'create':
        // A record that is there already will be refused, or is this one.
        row = told ?? row ?? withKey(write.record, key, fields);
        break;
      case 'patch':
        row = row && (told ?? patchRow(row, write.patch));
        break;
      case 'replace':
        row = told ?? withKey({ ...versionPart(row, fields), ...write.record }, key, fields);
        break;
      case 'delete':
        row = undefined;
    }
  }
  return row;
}

function versionPart(row: Row | undefined, { version }: RecordFields): Row | undefined {
  return row && { [version]: row[version] };
}

/**
 * Whether a record of this version has what was written, which the server has acknowledged. A deletion is in no version.
 * @param version 0 when there is none
 */
export function isIn(version: number, { mutation: { write, answer }, floor }: Overlaid): boolean {
  const told = answer?.version;
  return write.kind !== 'delete' && told !== undefined && version >= told && (write.kind === 'patch' || told > floor);
}

/** The acknowledged writes that a base of this version shows: none that came after one that it does not show. */
export function shownBy<Write extends Overlaid>(version: number, writes: readonly Write[]): readonly Write[] {
  const answered = writes.filter(({ mutation }) => isAcknowledged(mutation));
  const unseen = answered.findIndex((write) => !isIn(version, write));
  return unseen === -1 ? answered : answered.slice(0, unseen);
}

export function isAcknowledged({ state }: Mutation): boolean {
  return state === 'acknowledged';
}
