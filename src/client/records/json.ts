/** JSON values as records hold them: told apart, compared, and changed by merge patches (RFC 7396). */
import type { Row } from '../mutation.ts';

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two JSON values are written alike, the order of members included: what the server tells twice is. */
export function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Applies a merge patch (RFC 7396, section 2). Neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRow(patch)) return patch;
  const members = new Map(isRow(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, mergePatch(members.get(name), value));
  }
  return Object.fromEntries(members);
}

/** Applies a patch to a record. Its fields are columns, which are always there: null is their value, and removes none of them. */
export function patchRow(row: Row, patch: Row): Row {
  return {
    ...row,
    ...Object.fromEntries(Object.entries(patch).map(([field, value]) => [field, mergePatch(row[field], value)])),
  };
}
