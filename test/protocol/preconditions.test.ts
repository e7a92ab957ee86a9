import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTag, isUnchanged, mayWrite, parseTagList } from '../../src/protocol/preconditions.ts';

describe('a list of tags', () => {
  it.each([
    ['*', { kind: 'any' }],
    [' * ', { kind: 'any' }],
    ['"1"', { kind: 'tags', strong: new Set(['1']), weak: new Set() }],
    ['"1", W/"2" ,"a,b"', { kind: 'tags', strong: new Set(['1', 'a,b']), weak: new Set(['2']) }],
    ['""', { kind: 'tags', strong: new Set(['']), weak: new Set() }],
  ])('%s is read', (header, expected) => {
    expect(parseTagList(header)).toEqual(expected);
  });

  it.each([
    '',
    '1',
    '"1',
    '"1" "2"',
    '"1",',
    ',"1"',
    'w/"1"',
    '*, "1"',
    '"a"b"',
    `${'"1",'.repeat(200)}"1"`.replace(/1/g, () => String(Math.random())),
  ])('%s is none', (header) => {
    expect(parseTagList(header)).toBeUndefined();
  });

  it('reads what it is given in linear time', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', ',', ' ', 'W', '/', '\t', 'a') }), (text) => {
        parseTagList(text);
      }),
    );
    const begun = performance.now();
    parseTagList(' '.repeat(50_000));
    parseTagList(`"${'a'.repeat(50_000)}`);
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});

describe('a precondition', () => {
  const any = parseTagList('*');
  const one = parseTagList('"1"');
  const weak = parseTagList('W/"1"');

  it('on writing compares strictly for If-Match, and weakly for If-None-Match', () => {
    expect(mayWrite({}, undefined)).toBe(true);
    expect([mayWrite({ ifMatch: one }, '1'), mayWrite({ ifMatch: one }, '2')]).toEqual([true, false]);
    expect([mayWrite({ ifMatch: any }, '1'), mayWrite({ ifMatch: any }, undefined)]).toEqual([true, false]);
    expect(mayWrite({ ifMatch: weak }, '1')).toBe(false);
    expect([mayWrite({ ifNoneMatch: any }, '1'), mayWrite({ ifNoneMatch: any }, undefined)]).toEqual([false, true]);
    expect([mayWrite({ ifNoneMatch: weak }, '1'), mayWrite({ ifNoneMatch: weak }, '2')]).toEqual([false, true]);
  });

  it('on reading says whether the reader has it', () => {
    expect(isUnchanged({ ifNoneMatch: weak }, '1')).toBe(true);
    expect(isUnchanged({ ifNoneMatch: one }, '2')).toBe(false);
    expect(isUnchanged({ ifMatch: one }, '1')).toBe(false);
  });

  it('knows its own tags', () => {
    expect(mayWrite({ ifMatch: parseTagList(formatTag('12')) }, '12')).toBe(true);
  });
});
