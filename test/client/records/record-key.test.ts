import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  filtersOfKey,
  isTemporaryKey,
  keyOfRow,
  temporaryKey,
  withKey,
} from '../../../src/client/records/record-key.ts';
import { parseFilter } from '../../../src/protocol/filter.ts';
import { isKey } from '../../../src/protocol/key.ts';
import { formatKey } from '../../../src/records/record-key.ts';

describe('the key of a record', () => {
  it('is what the server makes of it, and is found again in filters', () => {
    const part = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), fc.integer(), fc.boolean());
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), (parts) => {
        const key = parts.map((_, index) => `f${index}`);
        const row = Object.fromEntries(parts.map((value, index) => [`f${index}`, value]));
        const text = keyOfRow(row, key);
        expect(text).toBe(formatKey(parts.map(String)));
        expect(filtersOfKey(text!, key).map((filter) => parseFilter(filter)?.values)).toEqual(
          parts.map((value) => [String(value)]),
        );
        expect(keyOfRow(withKey({}, text!, key), key)).toBe(text);
      }),
    );
  });

  it('is nobody’s when it is temporary', () => {
    const key = temporaryKey({ id: 'm1' });
    expect(isTemporaryKey(key)).toBe(true);
    expect(isKey(key)).toBe(false);
    expect(isTemporaryKey('m1')).toBe(false);
  });

  it('does not take the place of fields that a record has', () => {
    expect(withKey({ id: 7, a: 1 }, '7', ['id'])).toEqual({ id: 7, a: 1 });
  });
});
