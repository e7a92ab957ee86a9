import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitObject, textOfRaw } from '../../src/records/row-text.ts';

describe('cutting the text of an object', () => {
  it('gives every member as it was written', () => {
    const json = '{"id": 12345678901234567890, "a": {"b": [1, "}"]}, "t": "x\\"y", "n": null, "e": [], "f": 1.50}';
    expect([...splitObject(json)]).toEqual([
      ['id', '12345678901234567890'],
      ['a', '{"b": [1, "}"]}'],
      ['t', '"x\\"y"'],
      ['n', 'null'],
      ['e', '[]'],
      ['f', '1.50'],
    ]);
    expect(splitObject(' { } ').size).toBe(0);
  });

  // Not compared with what `JSON.parse` makes of the whole: V8 may take one escaped name for another that it has seen in its place
  // (Node 24.21: after `{"{":"","\\\\":""}` the name `"\\""` is read as `\\`).
  it('finds every member of an object as it was written, however it is spaced', () => {
    const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('"', '\\', '__proto__', '{'));
    const members = fc.uniqueArray(fc.tuple(name, fc.jsonValue()), { selector: ([each]) => each });
    fc.assert(
      fc.property(members, fc.constantFrom('', ' ', '  ', '\n', '\t'), (written, space) => {
        const texts = written.map(([each, value]) => [each, JSON.stringify(value, null, space)] as const);
        const json = `{${texts.map(([each, raw]) => [space, JSON.stringify(each), ':', raw, ''].join(space)).join(',')}}`;
        expect([...splitObject(json)]).toEqual(texts);
      }),
    );
  });

  it.each([
    '',
    'null',
    '[1]',
    '{',
    '{"a"',
    '{"a"}',
    '{"a":',
    '{"a":1',
    '{"a":"',
    '{"a":[1',
    '{"a":1 "b":2}',
    '{a:1}',
    '{"a":,}',
  ])('refuses what is no object or ends too early: %s', (json) => {
    expect(() => splitObject(json)).toThrow(TypeError);
  });

  it('never takes a cut text for a whole one', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), (value, at) => {
        const json = JSON.stringify(value);
        expect(() => splitObject(json.slice(0, at % json.length))).toThrow(TypeError);
      }),
    );
  });

  it('takes time in proportion to the text', () => {
    const slow = JSON.stringify({ a: '\\'.repeat(200_000), b: '"'.repeat(200_000), c: '['.repeat(200_000) });
    const start = performance.now();
    expect(splitObject(slow).size).toBe(3);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe('the text of a raw value', () => {
  it('is the string itself, or what was written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(textOfRaw(JSON.stringify(text))).toBe(text);
      }),
    );
    expect(textOfRaw('1.50')).toBe('1.50');
    expect(textOfRaw('true')).toBe('true');
  });
});
