/** JSON values as records hold them: told apart, compared, and changed by merge patches (RFC 7396). */
import type { Row } from '../mutation.ts';

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two JSON values are equal; the order of members says nothing. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((value, index) => isSame(value, b[index]));
  if (!isRow(a) || !isRow(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
  );
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
