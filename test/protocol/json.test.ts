import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, MAX_JSON_DEPTH, parseJson } from '../../src/protocol/json.ts';
import { jsonValue } from './json-text.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Object.values(value).reduce<number>((most, each) => Math.max(most, depthOf(each)), 0);
}

/** Values about as deep as is allowed, with brackets, quotes and backslashes in their texts. */
const deep = fc
  .tuple(
    fc.array(fc.boolean(), { minLength: MAX_JSON_DEPTH - 5, maxLength: MAX_JSON_DEPTH + 5 }),
    fc.array(fc.constantFrom('[', ']', '{', '}', '"', '\\', 'x'), { maxLength: 10 }),
  )
  .map(([levels, texts]) =>
    levels.reduce<unknown>((inner, isArray) => (isArray ? ['[{"', inner] : { '"{[\\': inner }), texts.join('')),
  );

describe('JSON that a stranger sent', () => {
  it('is too deep exactly when its real depth says so', () => {
    fc.assert(
      fc.property(deep, fc.constantFrom(undefined, 2), (value, indent) => {
        const result = parseJson(JSON.stringify(value, null, indent));
        if (depthOf(value) > MAX_JSON_DEPTH) expect(result).toEqual({ ok: false, reason: 'depth' });
        else expect(result).toEqual({ ok: true, value });
      }),
      { numRuns: 500 },
    );
  });

  it('is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        expect(parseJson(JSON.stringify(value))).toEqual({ ok: true, value });
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const result = parseJson(text);
        expect(result.ok || result.reason === 'syntax').toBe(true);
      }),
    );
  });

  it('is refused at the smallest text that is too deep, and far beyond, without a fault', () => {
    const nest = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseJson(nest(MAX_JSON_DEPTH)).ok).toBe(true);
    expect(parseJson(nest(MAX_JSON_DEPTH + 1))).toEqual({ ok: false, reason: 'depth' });
    expect(parseJson('{"a":'.repeat(100_000))).toEqual({ ok: false, reason: 'depth' });
    expect(parseJson(`${']'.repeat(200)}${'['.repeat(200)}`).ok).toBe(false);
  });
});

describe('bytes that a stranger sent', () => {
  it('are decoded exactly when they are UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = decodeUtf8(bytes);
        const isUtf8 = Buffer.from(Buffer.from(bytes).toString('utf8')).equals(Buffer.from(bytes));
        // A text that held U+FFFD itself survives the round trip, as it should.
        expect(text !== undefined).toBe(isUtf8);
      }),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        (text) => {
          expect(decodeUtf8(Buffer.from(text))).toBe(text.replace(/^\ufeff/, ''));
        },
      ),
    );
  });
});
