/**
 * What to do when the server could not merge a patch (protocol section 6.5). The server merges whole fields; here members of objects are
 * merged as well. What is left is for the application, or for its user, to decide.
 */
import type { Row } from '../mutation.ts';
import type { Refusal } from '../request.ts';
import { isRow, isSame, merge } from './json.ts';

/** What a `conflict` says. */
export interface RecordConflict {
  /** The record that the patch started from; absent when the server does not know it any more, or may not tell. */
  readonly base: Row | undefined;
  /** The record as it is now. */
  readonly current: Row;
  /** The patch that could not be merged. */
  readonly yours: Row;
  /** The fields that both changed. */
  readonly fields: readonly string[];
}

/**
 * Decides a conflict.
 * @returns the patch to send instead, against `current`; `undefined` to leave the write undone, for somebody to look at
 */
export type ResolveConflict = (conflict: RecordConflict) => Row | undefined | Promise<Row | undefined>;

/** @returns `undefined` for a refusal that is no conflict of patches */
export function readConflict({ code, base, current, yours, fields }: Refusal): RecordConflict | undefined {
  if (code !== 'conflict' || !isRow(current) || !isRow(yours)) return undefined;
  const named = Array.isArray(fields) ? fields.filter((field) => typeof field === 'string') : [];
  return { base: isRow(base) ? base : undefined, current, yours, fields: named };
}

export interface ThreeWayMerge {
  /** What can be merged, as a patch against `current`: empty where that has it all. */
  readonly patch: Row;
  /** Dotted paths to what both changed differently. */
  readonly fields: readonly string[];
}

/**
 * Merges a patch into a record that others have changed since. What only one side changed is theirs; what both changed in the same way is
 * no conflict; objects are merged member by member, lists are not. Values are compared as JSON.
 *
 * @param base `undefined`: then all that differs from `current` is in conflict
 * @param yours a merge patch against `base`
 */
export function threeWay(base: Row | undefined, current: Row, yours: Row): ThreeWayMerge {
  const patch: Record<string, unknown> = {};
  const fields: string[] = [];
  for (const [name, mine] of Object.entries(yours)) {
    const from = base?.[name] ?? null;
    const now = current[name] ?? null;
    const after = isRow(mine) ? merge(isRow(from) ? from : {}, mine) : (mine ?? null);
    if (isSame(after, now) || (base !== undefined && isSame(after, from))) continue;
    if (base !== undefined && isSame(from, now)) patch[name] = mine;
    else if (isRow(from) && isRow(now) && isRow(mine)) {
      const inner = threeWay(from, now, mine);
      if (Object.keys(inner.patch).length > 0) patch[name] = inner.patch;
      fields.push(...inner.fields.map((field) => `${name}.${field}`));
    } else fields.push(name);
  }
  return { patch, fields };
}

/** Merges what can be merged, and leaves the write undone where something cannot. */
export const mergeDisjoint: ResolveConflict = ({ base, current, yours }) => {
  const { patch, fields } = threeWay(base, current, yours);
  return fields.length === 0 ? patch : undefined;
};
