/** JSON values as records hold them: told apart, compared, and changed by merge patches (RFC 7396). */
import type { Row } from '../mutation.ts';

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two JSON values are written alike, the order of members included: what the server tells twice is. */
export function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Applies a merge patch (RFC 7396, section 2) to an object. Neither argument is changed.
 * @param isRecord then its fields are columns, which are always there: null is their value, and removes none of them
 */
export function merge(target: Row, patch: Row, isRecord = false): Row {
  const members = new Map(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    const before = members.get(name);
    if (value === null && !isRecord) members.delete(name);
    else members.set(name, isRow(value) ? merge(isRow(before) ? before : {}, value) : value);
  }
  return Object.fromEntries(members);
}
