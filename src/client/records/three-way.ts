/** Merging by hand what the server could not merge (protocol section 6.5): it merges whole fields; here members of objects are merged as well. */
import type { Row } from '../mutation.ts';
import { isRow, isSame, merge } from './json.ts';

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
