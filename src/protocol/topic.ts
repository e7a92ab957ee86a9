/**
 * Topic names and the patterns that grants use to speak of many of them (protocol sections 1 and 4).
 *
 * A topic is 1 to 512 bytes of UTF-8 with no control character, no white space and no `*`. `:` separates levels by
 * convention only, so an IRI such as `https://example.com/books/1` is a legal topic. `.` and `..` are not: a URL cannot name
 * them, since every client folds such a segment away, however it is encoded (WHATWG URL, section 4.4).
 */

/** The longest legal topic, in bytes of UTF-8. */
export const MAX_TOPIC_BYTES = 512;

const FORBIDDEN = /[\s*\p{Cc}\p{Cs}]/u;
const utf8 = new TextEncoder();

/** Whether `value` is a legal topic name. Lone surrogates are refused, because UTF-8 cannot carry them. */
export function isTopic(value: string): boolean {
  if (value.length === 0 || value.length > MAX_TOPIC_BYTES || FORBIDDEN.test(value)) return false;
  if (value === '.' || value === '..') return false;
  // A UTF-16 unit is at most three bytes of UTF-8, so short names need no encoding to be known short enough.
  return value.length * 3 <= MAX_TOPIC_BYTES || utf8.encode(value).byteLength <= MAX_TOPIC_BYTES;
}

/** A compiled topic pattern: says whether a topic is covered. */
export type TopicPattern = (topic: string) => boolean;

/** Whether `pattern` is legal: a topic whose segments may be `*` and whose last segment may be `**`. */
export function isTopicPattern(pattern: string): boolean {
  const segments = pattern.split(':');
  return (
    segments.every((segment, index) => {
      if (segment === '*') return true;
      if (segment === '**') return index === segments.length - 1;
      return !FORBIDDEN.test(segment);
    }) &&
    pattern.length > 0 &&
    utf8.encode(pattern).byteLength <= MAX_TOPIC_BYTES
  );
}

/**
 * Compiles a pattern: `*` stands for exactly one segment, a final `**` for one or more, anything else for itself.
 *
 * @returns a predicate, or `undefined` when the pattern is not legal (see {@link isTopicPattern})
 * @example compileTopicPattern('chat:*')?.('chat:lobby') // true
 */
export function compileTopicPattern(pattern: string): TopicPattern | undefined {
  if (!isTopicPattern(pattern)) return undefined;
  if (!pattern.includes('*')) return (topic) => topic === pattern;
  const segments = pattern.split(':');
  const open = segments.at(-1) === '**';
  const fixed = open ? segments.slice(0, -1) : segments;
  return (topic) => {
    const parts = topic.split(':');
    if (open ? parts.length <= fixed.length : parts.length !== fixed.length) return false;
    return fixed.every((segment, index) => segment === '*' || segment === parts[index]);
  };
}
