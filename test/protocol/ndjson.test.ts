import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineSplitter, encodeNdjsonLine, MAX_LINE_LENGTH } from '../../src/protocol/ndjson.ts';
import { jsonValue, lengths, nastyText, pieces } from './json-text.ts';

function split(chunks: readonly string[]): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

describe('newline-delimited JSON', () => {
  it('gives the same values back, cut anywhere', () => {
    fc.assert(
      fc.property(fc.array(jsonValue, { maxLength: 6 }), lengths, fc.boolean(), (values, cuts, ended) => {
        const text = values.map((value) => encodeNdjsonLine(JSON.stringify(value))).join('');
        const read = split(pieces(ended ? text : text.slice(0, -1), cuts)).map((line) => JSON.parse(line) as unknown);
        expect(read).toEqual(values);
      }),
    );
  });

  it('splits any text alike however it is cut', () => {
    fc.assert(
      fc.property(fc.array(nastyText), lengths, (parts, cuts) => {
        const text = parts.join('\n');
        expect(split(pieces(text, cuts))).toEqual(split([text]));
      }),
    );
  });

  it('passes over blank lines, and takes CRLF as a line end', () => {
    expect(split(['\n\r\n \t\n1\r\n\n2\n', '', '\n3'])).toEqual(['1', '2', '3']);
  });

  it('leaves white space that is not JSON for the reader to refuse', () => {
    expect(split(['\u00a0\n'])).toEqual(['\u00a0']);
  });

  it('breaks lines at LF only', () => {
    expect(split(['"a\u2028b\u2029c\u0085d"\n'])).toEqual(['"a\u2028b\u2029c\u0085d"']);
  });

  it('refuses a line that is too long, in one piece or in many', () => {
    const long = 'x'.repeat(MAX_LINE_LENGTH + 1);
    expect(() => split([`${long}\n`])).toThrow(RangeError);
    expect(() => split([long])).toThrow(RangeError);
    expect(() => split([...pieces(long, [100_000]), '\n'])).toThrow(RangeError);
    expect(split([`${long.slice(1)}\n`])).toHaveLength(1);
  });
});
