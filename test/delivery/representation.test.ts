import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAST_CHUNK, representationOf, type StreamFormat } from '../../src/delivery/representation.ts';
import type { Framing } from '../../src/delivery/sink.ts';
import { createLineSplitter } from '../../src/protocol/ndjson.ts';
import { createSseParser, type SseBlock } from '../../src/protocol/sse.ts';
import { batchOf } from './fakes.ts';

const FORMATS: readonly StreamFormat[] = ['sse', 'sse-named', 'ndjson'];
const text = (bytes: Uint8Array) => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

/** Takes the chunks apart as RFC 9112 section 7.1 says; throws where they are not well formed. */
function unchunk(bytes: Uint8Array): Uint8Array {
  const buffer = Buffer.from(bytes);
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = buffer.indexOf('\r\n', at);
    const head = buffer.subarray(at, line).toString('latin1');
    if (line === -1 || !/^[0-9a-f]+$/.test(head)) throw new Error(`no chunk at ${at}: ${head}`);
    const size = Number.parseInt(head, 16);
    const end = line + 2 + size;
    if (buffer.subarray(end, end + 2).toString('latin1') !== '\r\n') throw new Error(`the chunk at ${at} has no end`);
    if (size === 0) {
      if (end + 2 !== buffer.byteLength) throw new Error('there is something after the last chunk');
      return Buffer.concat(parts);
    }
    parts.push(buffer.subarray(line + 2, end));
    at = end + 2;
  }
}

function blocksOf(bytes: Uint8Array): readonly SseBlock[] {
  const blocks: SseBlock[] = [];
  createSseParser((block) => blocks.push(block)).push(text(bytes));
  return blocks;
}

describe('a representation', () => {
  it.each(FORMATS)('of %s makes the bytes of a batch once for all readers, and apart for each framing', (format) => {
    const batch = batchOf('a', 1, { data: 1 }, { data: 2 });
    const [none, chunked] = (['none', 'chunked'] as const).map((framing) => representationOf(format, framing));
    expect(none!.batch(batch)).toBe(none!.batch(batch));
    expect(chunked!.batch(batch)).toBe(chunked!.batch(batch));
    expect(chunked!.batch(batch)).not.toBe(none!.batch(batch));
    expect(representationOf(format, 'none')).toBe(none);
  });

  it('never gives one format the bytes of another', () => {
    const batch = batchOf('a', 1, { type: 'paid', data: 1 });
    const made = FORMATS.flatMap((format) =>
      (['none', 'chunked'] as const).map((framing) => text(representationOf(format, framing).batch(batch))),
    );
    expect(new Set(made).size).toBe(6);
  });

  it('makes a compound cursor for one reader alone, and leaves the shared bytes as they are', () => {
    const batch = batchOf('a', 1, { data: 1 });
    const sse = representationOf('sse', 'none');
    const compound = sse.compound(batch, ({ id }) => `${id}.other-1`);
    expect(blocksOf(compound)[0]!.id).toBe('a000000000-1.other-1');
    expect(blocksOf(sse.batch(batch))[0]!.id).toBe('a000000000-1');
    const lines = representationOf('ndjson', 'none');
    expect(lines.compound(batch, () => 'unused')).toBe(lines.batch(batch));
  });

  it('frames and encodes whatever is in an event so that a reader gets it back, and nothing more', () => {
    const unicode = fc.string({ unit: 'binary' });
    const input = fc.record({ data: fc.oneof(fc.jsonValue(), unicode), key: fc.option(unicode, { nil: undefined }) });
    fc.assert(
      fc.property(
        fc.array(input, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...FORMATS),
        fc.constantFrom<Framing>('none', 'chunked'),
        (inputs, format, framing) => {
          const batch = batchOf('тема/😀', 1, ...inputs);
          const representation = representationOf(format, framing);
          const control = { name: 'close', data: { reason: 'limit', retry: 5 } } as const;
          const all = Buffer.concat([
            representation.batch(batch),
            representation.control(control),
            ...(framing === 'chunked' ? [LAST_CHUNK] : []),
          ]);
          const body = framing === 'chunked' ? unchunk(all) : all;
          const texts: string[] = [];
          if (format === 'ndjson') {
            const lines = createLineSplitter((line) => texts.push(line));
            lines.push(text(body));
            lines.end();
          } else texts.push(...blocksOf(body).map(({ data }) => data));
          expect(texts).toHaveLength(inputs.length + 1);
          const events = texts.slice(0, -1).map((each) => JSON.parse(each));
          // A lone surrogate travels as its escape, so it comes back as it was.
          expect(events.map(({ data, key }) => ({ data, key }))).toEqual(
            inputs.map(({ data, key }) => ({ data: JSON.parse(JSON.stringify(data)), key })),
          );
          expect(events.map(({ id }) => id)).toEqual(batch.events.map(({ id }) => id));
        },
      ),
    );
  });

  describe('with named events', () => {
    const named = representationOf('sse-named', 'none');
    const nameOf = (type: string | undefined) => blocksOf(named.batch(batchOf('a', 1, { type, data: 1 })))[0]!.event;

    it.each(['paid', 'order.paid', 'заказ', 'opened'])('carries the type %s', (type) => {
      expect(nameOf(type)).toBe(type);
    });

    it.each([undefined, 'message', 'open', 'error'])('sends %s unnamed', (type) => {
      expect(nameOf(type)).toBeUndefined();
    });

    it.each(['a\nid: forged', 'a\rdata: forged', '$close', 'a\0b', ''])(
      'never lets a type (%j) forge a field or a control event, wherever it came from',
      (type) => {
        const batch = batchOf('a', 1, { type, data: 1 });
        expect(text(named.batch(batch))).toBe(`id: a000000000-1\ndata: ${batch.events[0]!.json}\n\n`);
      },
    );

    it('is only of those who asked for it', () => {
      const plain = representationOf('sse', 'none');
      expect(blocksOf(plain.batch(batchOf('a', 1, { type: 'paid', data: 1 })))[0]!.event).toBeUndefined();
    });
  });

  it('says its content type', () => {
    expect(FORMATS.map((format) => representationOf(format, 'none').contentType)).toEqual([
      'text/event-stream',
      'text/event-stream',
      'application/x-ndjson',
    ]);
  });
});
