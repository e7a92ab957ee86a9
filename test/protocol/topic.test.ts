import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileTopicPattern, isTopic, isTopicPattern, MAX_TOPIC_BYTES } from '../../src/protocol/topic.ts';

/** Any text at all, lone surrogates included. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 700 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
);

/** The rule of protocol section 1, said another way: by code points and bytes. */
function isTopicByTheBook(text: string): boolean {
  const bytes = Buffer.byteLength(text, 'utf8');
  if (bytes < 1 || bytes > 512) return false;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x20 || (point >= 0x7f && point <= 0x9f)) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
    if (character === '*' || character.trim() === '') return false;
  }
  return true;
}

const segment = fc.constantFrom('a', 'b', 'chat', '//x.org/1', 'é😀', '');
const topic = fc
  .array(segment, { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join(':'))
  .filter((name) => name !== '');
const pattern = fc
  .tuple(fc.array(fc.oneof(segment, fc.constant('*')), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([segments, open]) => (open ? [...segments, '**'] : segments).join(':'))
  .filter((text) => text !== '');

/** Patterns as a regular expression. */
function covers(text: string, name: string): boolean {
  const source = text
    .split(':')
    .map((part) => (part === '**' ? '[^]+' : part === '*' ? '[^:]*' : part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')))
    .join(':');
  // A final `**` is one or more segments, of which the first may be empty: `a:**` covers `a:`.
  return new RegExp(`^${source.replace(/\[\^\]\+$/, '[^]*')}$`).test(name);
}

describe('a topic name', () => {
  it('is what the protocol says, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(isTopic(text)).toBe(isTopicByTheBook(text));
      }),
      { numRuns: 500 },
    );
  });

  it('is measured in bytes of UTF-8', () => {
    for (const unit of ['a', 'é', '€', '😀']) {
      const bytes = Buffer.byteLength(unit);
      const fits = Math.floor(MAX_TOPIC_BYTES / bytes);
      expect(isTopic(unit.repeat(fits))).toBe(true);
      expect(isTopic(unit.repeat(fits + 1))).toBe(false);
    }
  });

  it('may be an IRI', () => {
    for (const name of [
      'https://example.com/books/1',
      'https://example.com/Bücher?id=1#a',
      'urn:isbn:0451450523',
      ':',
      '__proto__',
    ])
      expect(isTopic(name)).toBe(true);
  });

  it('holds no white space, control character, star or lone surrogate', () => {
    for (const bad of [
      '',
      ' ',
      'a b',
      'a\tb',
      'a\nb',
      'a\0',
      'a\x7f',
      'a\x85',
      'a\u00a0',
      'a\u2028',
      '\ufeffa',
      'a*',
      '*',
      'a\ud800',
      '\udc00a',
    ])
      expect(isTopic(bad)).toBe(false);
  });
});

describe('a topic pattern', () => {
  it('covers what the same pattern as a regular expression matches', () => {
    fc.assert(
      fc.property(pattern, topic, (text, name) => {
        expect(compileTopicPattern(text)?.(name)).toBe(covers(text, name));
      }),
      { numRuns: 1_000 },
    );
  });

  it('that is a topic covers itself alone', () => {
    fc.assert(
      fc.property(topic, topic, (name, other) => {
        expect(compileTopicPattern(name)?.(other)).toBe(name === other);
      }),
    );
  });

  it('answers for any text, and is legal exactly when it compiles', () => {
    fc.assert(
      fc.property(anyText, anyText, (text, name) => {
        const compiled = compileTopicPattern(text);
        expect(compiled !== undefined).toBe(isTopicPattern(text));
        expect(typeof compiled?.(name)).not.toBe('object');
        if (isTopic(text)) expect(isTopicPattern(text)).toBe(true);
      }),
    );
  });

  it('has its stars alone in a segment, the double one at the end', () => {
    for (const good of ['*', '**', 'a:*', '*:a', 'a:**', '*:*:**', 'a::b']) expect(isTopicPattern(good)).toBe(true);
    for (const bad of ['', 'a*', '*a', '***', '**:a', 'a:**:b', 'a b', 'a:\n', 'a\ud800', 'a'.repeat(513)])
      expect(isTopicPattern(bad)).toBe(false);
  });

  it('with one star covers one segment, with two at least one', () => {
    const one = compileTopicPattern('chat:*');
    const more = compileTopicPattern('chat:**');
    expect([one?.('chat:lobby'), one?.('chat'), one?.('chat:a:b')]).toEqual([true, false, false]);
    expect([more?.('chat:lobby'), more?.('chat'), more?.('chat:a:b')]).toEqual([true, false, true]);
  });
});
