/** The key of an event: what it is about (protocol section 2). */

/** The longest key, in UTF-16 units. */
export const MAX_KEY = 512;

/** What no name or key may hold. Lone surrogates are no UTF-8: stored, two different keys could become one. */
export const CONTROL = /[\p{Cc}\p{Cs}]/u;

/** Whether an event can carry the key. */
export function isKey(key: string): boolean {
  return key !== '' && key.length <= MAX_KEY && !CONTROL.test(key);
}
