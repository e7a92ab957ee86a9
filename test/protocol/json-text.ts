/** Arbitraries that protocol tests share. */
import fc from 'fast-check';

/** Texts with all that has broken an encoder before. */
export const nastyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc
    .array(
      fc.constantFrom(
        '\r',
        '\n',
        '\r\n',
        '\u2028',
        '\u2029',
        '\0',
        '\ufeff',
        '\ud800',
        '\udc00',
        '"',
        '\\',
        'data: ',
        'id: x',
        'event: $close',
        ':',
        ' ',
        '\n\n',
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
);

const name = fc.oneof(nastyText, fc.constantFrom('__proto__', 'constructor', 'toString', 'id', 'topic', 'data', ''));

/** Any JSON value, as `JSON.parse` gives it: own members of every name, no -0. */
export const jsonValue: fc.Arbitrary<unknown> = fc
  .letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      nastyText,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((members) => {
        const made: Record<string, unknown> = {};
        for (const [key, value] of members)
          Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
        return made;
      }),
    ),
  }))
  .value.map((value) => JSON.parse(JSON.stringify(value)) as unknown);

/** Cuts a text into pieces of the lengths given, in turn. */
export function pieces(text: string, lengths: readonly number[]): readonly string[] {
  const cut: string[] = [];
  for (let at = 0, turn = 0; at < text.length; turn += 1) {
    const length = Math.max(1, lengths.length === 0 ? text.length : (lengths[turn % lengths.length] ?? 1));
    cut.push(text.slice(at, at + length));
    at += length;
  }
  return cut;
}

export const lengths = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 });
