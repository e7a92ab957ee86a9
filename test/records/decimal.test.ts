import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addDifference, canonicalDecimal, plainDigits } from '../../src/records/decimal.ts';

describe('a decimal', () => {
  it.each([
    ['1e3', '1000', '1000'],
    ['1.5e-3', '0.0015', '0.0015'],
    ['-0', '0', '0'],
    ['-0.00', '0.00', '0'],
    ['007.50', '7.50', '7.5'],
    ['.5', '0.5', '0.5'],
    ['5.', '5', '5'],
    ['100', '100', '100'],
    ['1E+21', '1000000000000000000000', '1000000000000000000000'],
    ['12345678901234567890.1234567890', '12345678901234567890.1234567890', '12345678901234567890.123456789'],
  ])('%s is %s without exponent, and %s at its shortest', (text, plain, canonical) => {
    expect(plainDigits(text)).toBe(plain);
    expect(canonicalDecimal(text)).toBe(canonical);
  });

  it.each(['', '.', '-', 'NaN', 'Infinity', '1e', '1e99999', '0x1', ' 1', '1_0', '--1', '9'.repeat(50_000)])(
    'is not %s',
    (text) => {
      expect(plainDigits(text)).toBeUndefined();
      expect(canonicalDecimal(text)).toBeUndefined();
      expect(addDifference('1', text, '1')).toBeUndefined();
    },
  );

  it('keeps the value of every double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(plainDigits(String(value)))).toBe(value === 0 ? 0 : value);
        expect(Number(canonicalDecimal(String(value)))).toBe(value === 0 ? 0 : value);
      }),
    );
  });

  it('has one shortest text', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.nat(30), fc.nat(10), (digits, scale, zeros) => {
        const text = `${digits}e-${scale}`;
        const plain = plainDigits(text) ?? '';
        expect(canonicalDecimal(`${plain}${plain.includes('.') ? '0'.repeat(zeros) : ''}`)).toBe(
          canonicalDecimal(text),
        );
      }),
    );
  });
});
