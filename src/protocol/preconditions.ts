/** What a caller says about the version that they know: `If-Match` and `If-None-Match` (RFC 9110, section 13.1). */

/** One of the two headers: any version, or one of those listed. Weak tags are kept apart, since a strict comparison never matches them. */
export type TagList =
  | { readonly kind: 'any' }
  | { readonly kind: 'tags'; readonly strong: ReadonlySet<string>; readonly weak: ReadonlySet<string> };

export interface Preconditions {
  readonly ifMatch?: TagList | undefined;
  readonly ifNoneMatch?: TagList | undefined;
}

/** The most tags of a header that are read. */
export const MAX_TAGS = 100;

/** Reads the value of either header; `undefined` when it is malformed or lists too many. The tags come without their quotes. */
export function parseTagList(header: string): TagList | undefined {
  if (header.trim() === '*') return { kind: 'any' };
  const tag = /[ \t]*(W\/)?"([\x21\x23-\x7e\x80-\u{10ffff}]*)"[ \t]*(,|$)/uy;
  const strong = new Set<string>();
  const weak = new Set<string>();
  for (tag.lastIndex = 0; ; ) {
    const match = tag.exec(header);
    if (match === null || strong.size + weak.size >= MAX_TAGS) return undefined;
    (match[1] === undefined ? strong : weak).add(match[2] ?? '');
    if (match[3] === '') return { kind: 'tags', strong, weak };
  }
}

/** A row's `ETag`. */
export function formatTag(version: string): string {
  return `"${version}"`;
}

/**
 * Whether a write may go on.
 *
 * @param version the row's, or `undefined` when there is none that the caller can see
 */
export function mayWrite({ ifMatch, ifNoneMatch }: Preconditions, version: string | undefined): boolean {
  if (ifMatch !== undefined && (version === undefined || !matchesStrictly(ifMatch, version))) return false;
  return ifNoneMatch === undefined || version === undefined || !matchesWeakly(ifNoneMatch, version);
}

/** Whether a reader has this version already. */
export function isUnchanged({ ifNoneMatch }: Preconditions, version: string): boolean {
  return ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, version);
}

function matchesStrictly(list: TagList, version: string): boolean {
  return list.kind === 'any' || list.strong.has(version);
}

function matchesWeakly(list: TagList, version: string): boolean {
  return list.kind === 'any' || list.strong.has(version) || list.weak.has(version);
}
