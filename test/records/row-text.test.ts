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

  it('agrees with JSON.parse on every object, however it is spaced', () => {
    const object = fc.dictionary(
      fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('"', '\\', '__proto__', '{')),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(object, fc.constantFrom('', ' ', '  ', '\n', '\t'), (value, space) => {
        const json = JSON.stringify(value, null, space);
        const parsed = JSON.parse(json) as object;
        const members = splitObject(json);
        expect([...members.keys()].toSorted()).toEqual(Object.keys(parsed).toSorted());
        for (const [name, raw] of members) {
          expect(JSON.parse(raw)).toEqual(Object.entries(parsed).find(([each]) => each === name)?.[1]);
          expect(raw).toBe(raw.trim());
        }
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
