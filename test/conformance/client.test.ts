/** The suite's own reader, against the letter of the formats: a reader with faults would find none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFramer, readBlock } from './suite/stream.ts';

const WIRE = [
  ': a comment\n\n',
  'event: $open\ndata: {"stream":"s"}\n\n',
  'id: e-1\ndata: {"id":"e-1","data":"a\\nb 🎉"}\n\n',
  'data:{"data":1}\nid\n\n',
  'event: $close\nretry: 250\ndata: {"reason":\ndata: "expired"}\n\n',
].join('');

describe('the reader of SSE', () => {
  it('reads fields, comments, several data lines and missing values', () => {
    const frames = createFramer('sse')(WIRE);
    expect(frames.map((frame) => frame.control)).toEqual(['open', undefined, undefined, 'close']);
    expect(frames.map((frame) => frame.id)).toEqual([undefined, 'e-1', '', undefined]);
    expect(frames[1]).toMatchObject({ fields: ['id', 'data'], data: { data: 'a\nb 🎉' }, name: undefined });
    expect(frames[3]).toMatchObject({ data: { reason: 'expired' }, retry: '250', name: '$close' });
  });

  it('finds the same frames however the bytes are cut, and with every line break', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
    fc.assert(
      fc.property(cuts, fc.constantFrom('\n', '\r\n', '\r'), (sizes, lineBreak) => {
        const wire = WIRE.replaceAll('\n', lineBreak);
        const framer = createFramer('sse');
        const frames = [];
        for (let at = 0, turn = 0; at < wire.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          frames.push(...framer(wire.slice(at, at + size)));
          at += size;
        }
        // A CR at the very end may still become a CRLF: the last frame waits for what comes next.
        frames.push(...framer(':'));
        expect(frames).toEqual(createFramer('sse')(WIRE));
      }),
    );
  });

  it('tells a comment from a block', () => {
    expect(readBlock(': nothing')).toBeUndefined();
  });
});

describe('the reader of NDJSON', () => {
  it('reads a line as a control or an event, and keeps half a line', () => {
    const framer = createFramer('ndjson');
    expect(framer('{"control":"open"}\n{"id":"e-')).toHaveLength(1);
    const [event] = framer('1","data":1}\n\n');
    expect(event).toMatchObject({ control: undefined, data: { id: 'e-1' } });
  });
});
