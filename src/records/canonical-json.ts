/** One text for each JSON value, so that equal values have equal texts. */

const { isRawJSON } = JSON as { readonly isRawJSON?: (value: unknown) => value is { readonly rawJSON: string } };

/** The source text of a number that the JSON parser kept as it was written (see `protocol/json.ts`); otherwise `undefined`. */
export function rawNumber(value: unknown): string | undefined {
  return isRawJSON?.(value) ? value.rawJSON : undefined;
}

/**
 * JSON text without white space, the members of every object sorted by name. Members that are `undefined` are left out.
 *
 * @param value a JSON value. Its nesting is bounded by whoever parsed it.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null || rawNumber(value) !== undefined)
    return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}
