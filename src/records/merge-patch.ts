/** JSON Merge Patch (RFC 7396). */
import { rawNumber } from './canonical-json.ts';

/**
 * Applies a merge patch to a JSON value (RFC 7396 section 2): objects are merged member by member, null removes a member, and
 * anything else takes the place of what was there. Neither argument is changed. A member named `__proto__` is a member like
 * every other.
 *
 * @param target the value before; `undefined` counts as absent
 * @param patch a JSON value whose nesting its parser has bounded
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const members = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, mergePatch(members.get(name), value));
  }
  return Object.fromEntries(members);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && rawNumber(value) === undefined;
}
