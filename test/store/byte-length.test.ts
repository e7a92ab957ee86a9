import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteLength, byteLengthOf } from '../../src/store/byte-length.ts';

describe('the length of a text in UTF-8', () => {
  it('is that of its encoding, lone surrogates included', () => {
    const unit = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\ud800', '\udfff', 'é', '🎈', '\u07ff', '\u0800'),
    );
    fc.assert(
      fc.property(fc.array(unit), (units) => {
        expect(byteLength(units.join(''))).toBe(Buffer.byteLength(units.join('')));
        expect(byteLengthOf(units)).toBe(units.reduce((sum, text) => sum + Buffer.byteLength(text), 0));
      }),
    );
  });
});
