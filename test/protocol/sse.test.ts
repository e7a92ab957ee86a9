import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeControlJson, encodeControlSse } from '../../src/protocol/control.ts';
import { encodeEventBody, renderEvent, renderHead } from '../../src/protocol/event.ts';
import { createSseParser, encodeSse, MAX_BLOCK_LENGTH, type SseBlock } from '../../src/protocol/sse.ts';
import { jsonValue, lengths, nastyText, pieces } from './json-text.ts';

function parse(chunks: readonly string[]): SseBlock[] {
  const blocks: SseBlock[] = [];
  const parser = createSseParser((block) => blocks.push(block));
  for (const chunk of chunks) parser.push(chunk);
  return blocks;
}

/** The fields a block has, without those that are undefined. */
const fields = (block: SseBlock) =>
  Object.fromEntries(Object.entries(block).filter(([, value]) => value !== undefined));

/**
 * WHATWG HTML 9.2.6, word by word over the whole text: the other opinion that the parser is held against.
 * `retry` is left out: there it is a property of the connection and not of a block.
 */
function whatwg(stream: string): { data: string; event: string; id: string }[] {
  const dispatched: { data: string; event: string; id: string }[] = [];
  const text = stream.startsWith('\ufeff') ? stream.slice(1) : stream;
  const lines = text.split(/\r\n|\r|\n/);
  // What follows the last line end is no line.
  lines.pop();
  let data = '';
  let type = '';
  let lastId = '';
  for (const line of lines) {
    if (line === '') {
      if (data !== '') dispatched.push({ data: data.replace(/\n$/, ''), event: type, id: lastId });
      data = '';
      type = '';
      continue;
    }
    if (line.startsWith(':')) continue;
    const [, name = '', value = ''] = /^([^:]*)(?::[ ]?([\s\S]*))?$/.exec(line) ?? [];
    if (name === 'event') type = value;
    if (name === 'data') data += `${value}\n`;
    if (name === 'id' && !value.includes('\0')) lastId = value;
  }
  return dispatched;
}

const oneLine = nastyText.map((text) => text.replace(/[\r\n\0]/g, ''));
const block: fc.Arbitrary<SseBlock> = fc.record(
  {
    data: nastyText,
    event: fc.option(
      oneLine.filter((text) => text !== ''),
      { nil: undefined },
    ),
    id: fc.option(oneLine, { nil: undefined }),
    retry: fc.option(fc.nat(), { nil: undefined }),
  },
  { noNullPrototype: true },
);
const line = fc.oneof(
  fc.constantFrom(
    '',
    '',
    'data',
    'data:',
    'data: x',
    'data:x',
    'data:  x',
    'id: 1',
    'id',
    'id: a\0b',
    'event: e',
    'event:',
    'retry: 5',
    'retry: x',
    ': note',
    ':',
    'unknown: 1',
    ' data: x',
    'Data: x',
    'data: \ufeff',
  ),
  nastyText.map((text) => text.replace(/[\r\n]/g, '')),
);

describe('an encoded block', () => {
  it('is read back as it was, cut anywhere', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 6 }), lengths, (blocks, cuts) => {
        const read = parse(pieces(blocks.map(encodeSse).join(''), cuts));
        let id: string | undefined;
        const expected = blocks.map((each) => {
          id = each.id ?? id;
          // Every line break of the format is a line feed on the other side.
          return fields({ ...each, data: each.data.replace(/\r\n?/g, '\n'), id });
        });
        expect(read.map(fields)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('holds nothing but the fields asked for, whatever is in the data', () => {
    fc.assert(
      fc.property(nastyText, (data) => {
        const text = encodeSse({ id: 'k3f0q8s1zd-1', data });
        expect(text.endsWith('\n\n')).toBe(true);
        const lines = text.slice(0, -2).split(/\r\n|\r|\n/);
        expect(lines[0]).toBe('id: k3f0q8s1zd-1');
        for (const each of lines.slice(1)) expect(each.startsWith('data: ')).toBe(true);
        expect(whatwg(text)).toHaveLength(1);
      }),
      { numRuns: 500 },
    );
  });

  it('of an event is one id line and one data line, whatever its publisher said', () => {
    fc.assert(
      fc.property(jsonValue, nastyText, nastyText, (data, type, key) => {
        const json = renderEvent('k3f0q8s1zd-1', renderHead('t', 0), encodeEventBody({ data, type, key }));
        expect(encodeSse({ id: 'k3f0q8s1zd-1', data: json })).toBe(`id: k3f0q8s1zd-1\ndata: ${json}\n\n`);
        expect(whatwg(encodeSse({ id: 'k3f0q8s1zd-1', data: json }))).toEqual([
          { data: json, event: '', id: 'k3f0q8s1zd-1' },
        ]);
      }),
    );
  });

  it('is refused when its id or event holds a line break or NUL', () => {
    for (const bad of ['a\nb', 'a\rb', 'a\0b', '\n']) {
      expect(() => encodeSse({ data: '', id: bad })).toThrow(RangeError);
      expect(() => encodeSse({ data: '', event: bad })).toThrow(RangeError);
    }
  });
});

describe('the parser', () => {
  it('agrees with the specification on any stream, cut anywhere', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n', '\n\n')), { maxLength: 30 }),
        fc.constantFrom('', '\ufeff'),
        fc.constantFrom('', 'data: unfinished', 'data: half\n'),
        lengths,
        (lines, mark, tail, cuts) => {
          const text = mark + lines.map((each) => each.join('')).join('') + tail;
          const read = parse(pieces(text, cuts)).map(({ data, event = '', id = '' }) => ({ data, event, id }));
          expect(read).toEqual(whatwg(text));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('takes CR, LF and CRLF as one line end each, also when CRLF is cut in two', () => {
    for (const text of ['data: a\n\ndata: b\n\n', 'data: a\r\rdata: b\r\r', 'data: a\r\n\r\ndata: b\r\n\r\n'])
      for (let cut = 0; cut <= text.length; cut += 1)
        expect(parse([text.slice(0, cut), text.slice(cut)]).map(({ data }) => data)).toEqual(['a', 'b']);
  });

  it('gives a block whose last byte is a CR at once', () => {
    expect(parse(['data: a\r\r'])).toHaveLength(1);
  });

  it('passes over one byte order mark, at the very start only', () => {
    expect(parse(['', '\ufeff', 'data: a\n\n', '\ufeffdata: b\n\n']).map(({ data }) => data)).toEqual(['a']);
    expect(parse(['\ufeff\ufeffdata: a\n\n'])).toEqual([]);
  });

  it('ignores an id with NUL and keeps the one before; an empty id resets it', () => {
    const read = parse(['id: 1\ndata: a\n\nid: 2\0\ndata: b\n\ndata: c\n\nid\ndata: d\n\n']);
    expect(read.map(({ id }) => id)).toEqual(['1', '1', '1', '']);
  });

  it('reads retry only of digits, and keeps one that came in a block without data', () => {
    const read = parse([
      'retry: 1500\ndata: a\n\nretry: 1.5\ndata: b\n\nretry: 70\n\n: note\n\ndata: c\n\ndata: d\n\n',
    ]);
    expect(read.map(({ retry }) => retry)).toEqual([1500, undefined, 70, undefined]);
    expect(parse([`retry: ${'9'.repeat(400)}\ndata: a\n\n`])[0]?.retry).toBeUndefined();
  });

  it('holds a bounded block: long lines, many lines and many empty lines', () => {
    for (const chunk of ['x'.repeat(100_000), `data: ${'x'.repeat(100_000)}\n`, 'data\n'.repeat(20_000)]) {
      const parser = createSseParser(() => {});
      const most = Math.ceil(MAX_BLOCK_LENGTH / (chunk.startsWith('data\n') ? 20_000 : 100_000)) + 1;
      expect(() => {
        for (let count = 0; count < most; count += 1) parser.push(chunk);
      }).toThrow(RangeError);
    }
  });

  it('is not slowed by many blocks in one piece', () => {
    const chunk = `${'data: x\n\n'.repeat(300_000)}`;
    let count = 0;
    const parser = createSseParser(() => {
      count += 1;
    });
    const start = performance.now();
    parser.push(chunk);
    // Scanning the rest of the piece for every line would take minutes.
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(count).toBe(300_000);
  });
});

describe('a control event', () => {
  it('has a name that begins with $, its data as JSON, and its cursor as id', () => {
    expect(
      parse([encodeControlSse({ name: 'ready', data: { cursor: 'k3f0q8s1zd-1' }, cursor: 'k3f0q8s1zd-1' })]),
    ).toEqual([{ event: '$ready', id: 'k3f0q8s1zd-1', data: '{"cursor":"k3f0q8s1zd-1"}', retry: undefined }]);
  });

  it('that closes tells a native client when to come back', () => {
    const text = encodeControlSse({ name: 'close', data: { reason: 'draining', retry: 1234 } });
    expect(parse([text])[0]).toMatchObject({ event: '$close', retry: 1234 });
  });

  it('is one line of NDJSON that says its name, whatever is in it', () => {
    fc.assert(
      fc.property(nastyText, jsonValue, (member, state) => {
        const control = { name: 'presence', data: { topic: 't', change: 'update', member, state } } as const;
        const text = encodeControlJson(control);
        expect(text).not.toMatch(/[\r\n]/);
        expect(JSON.parse(text)).toEqual({ control: 'presence', topic: 't', change: 'update', member, state });
        expect(parse([encodeControlSse(control)])).toHaveLength(1);
      }),
    );
  });
});
