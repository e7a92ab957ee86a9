import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textOf } from '../../src/widget/display.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
/** Intl puts spaces of several kinds. */
const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, ' ');

describe('the text of a value', () => {
  it.for<[unknown, string]>([
    ['text', 'text'],
    ['', ''],
    [12.5, '12.5'],
    [0, '0'],
    [false, 'false'],
    [null, '–'],
    [undefined, '–'],
    [{ a: [1, '<b>'] }, '{"a":[1,"<b>"]}'],
    [[], '[]'],
  ])('%j is %j without a format', ([value, text]) => {
    expect(textOf(value)).toBe(text);
  });

  it.for<[unknown, string, string, string]>([
    [1234.5, 'number', 'en', '1,234.5'],
    ['1234.5', 'number:2', 'de', '1.234,50'],
    [0.256, 'percent', 'en', '26%'],
    [0.256, 'percent:1', 'en', '25.6%'],
    ['1234.5', 'currency:EUR', 'de', '1.234,50 €'],
    ['2026-11-21T09:30:00Z', 'date', 'en', 'Nov 21, 2026'],
    [NOW - 90_000, 'relative', 'en', '1 minute ago'],
    [NOW - 500, 'relative', 'en', 'now'],
    ['2026-11-22T12:00:00Z', 'relative', 'en', 'tomorrow'],
    [NOW - 59_999, 'relative', 'de', 'vor 59 Sekunden'],
    [NOW - 800 * 86_400_000, 'relative', 'en', '2 years ago'],
  ])('%j as %s in %s is %j', ([value, format, locale, text]) => {
    expect(plain(textOf(value, format, locale, NOW))).toBe(text);
  });

  it('has the date with the time unless it is of today', () => {
    expect(plain(textOf(NOW, 'time', 'en', NOW))).toMatch(/^\d{1,2}:\d{2}:00 [AP]M$/);
    expect(plain(textOf(NOW, 'time', 'en', NOW + 3 * 86_400_000))).toMatch(/^Nov 2[012], 2026, \d{1,2}:\d{2} [AP]M$/);
  });

  it.for<[unknown, string, string | undefined]>([
    ['much', 'number', undefined],
    ['  ', 'number', undefined],
    ['yesterday', 'relative', undefined],
    ['5', 'currency', undefined],
    ['5', 'currency:nonsense', undefined],
    ['5', 'bytes', undefined],
    ['5', 'number:999', undefined],
  ])('%j as %s stays as it is', ([value, format, locale]) => {
    expect(textOf(value, format, locale)).toBe(value);
  });

  it('ignores a language that is none', () => {
    expect(textOf(5, 'number', 'no such language')).toBe('5');
    expect(textOf(5, 'number:1', '!')).toBe(textOf(5, 'number:1'));
  });

  it('never throws and is never long, whatever a publisher sends', () => {
    const formats = [
      '',
      'number',
      'number:2',
      'percent',
      'currency:EUR',
      'currency:',
      'time',
      'date',
      'relative',
      ':::',
    ];
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom(...formats),
        fc.constantFrom('en', 'de', 'x', ''),
        (value, format, locale) => {
          expect(textOf(value, format, locale).length).toBeLessThanOrEqual(2001);
        },
      ),
    );
    expect(textOf('x'.repeat(5000))).toBe(`${'x'.repeat(2000)}…`);
    expect(textOf(Number.MAX_VALUE, 'time')).toBe(String(Number.MAX_VALUE));
  });
});
