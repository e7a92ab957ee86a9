/** What every sink promises (see the port), run by the tests of each. */
import { afterEach, describe, expect, it } from 'vitest';
import { HIGH_WATER_BYTES, type Sink } from '../../src/delivery/sink.ts';
import { until } from '../support/until.ts';

/** The other end of a sink: takes the body's bytes, without their framing. */
export interface SinkReader {
  /** What has arrived. */
  bytes(): Uint8Array;
  /** How the stream ended, for the reader: `clean` as the format wants it, `cut` when it just broke off. */
  end(): 'open' | 'clean' | 'cut';
  /** Stops and goes on taking bytes. */
  pause(): void;
  resume(): void;
  /** Goes away. */
  leave(): void;
}

export interface Line {
  readonly sink: Sink;
  readonly reader: SinkReader;
  close(): Promise<void>;
}

const encoder = new TextEncoder();

export function describeSink(name: string, connect: () => Promise<Line>): void {
  describe(`the sink contract: ${name}`, () => {
    const lines: Line[] = [];
    afterEach(async () => {
      for (const line of lines.splice(0)) await line.close();
    });

    async function line() {
      const made = await connect();
      lines.push(made);
      const calls: string[] = [];
      made.sink.onReady = () => calls.push(`ready ${made.sink.ready}`);
      made.sink.onClose = () => calls.push('close');
      return { ...made, calls };
    }

    /** Writes until the sink says that the reader does not keep up; answers with all that was written. */
    function fill(sink: Sink): Uint8Array {
      const parts: Uint8Array[] = [];
      for (let n = 0; n < 2000; n += 1) {
        const part = new Uint8Array(64 * 1024).fill(n % 251);
        parts.push(part);
        if (!sink.write(framed(sink, part))) return join(parts);
      }
      throw new Error('a reader that takes nothing was never slow');
    }

    it('carries bytes whole and in order', async () => {
      const { sink, reader } = await line();
      const texts = ['a', 'é😀\u2028', 'x'.repeat(100_000), '\r\n0\r\n\r\n', '\0', 'z'];
      for (const text of texts) sink.write(framed(sink, encoder.encode(text)));
      const expected = encoder.encode(texts.join(''));
      await until('all bytes', () => reader.bytes().byteLength >= expected.byteLength);
      expect(Buffer.compare(reader.bytes(), expected)).toBe(0);
      expect(reader.end()).toBe('open');
    });

    it('is ready at first, and after a write that leaves room', async () => {
      const { sink } = await line();
      expect(sink.ready).toBe(true);
      expect(sink.write(framed(sink, encoder.encode('a')))).toBe(true);
      expect(sink.ready).toBe(true);
    });

    it('says when the reader falls behind, calls once there is room again, and loses nothing', async () => {
      const { sink, reader, calls } = await line();
      reader.pause();
      const first = fill(sink);
      expect(sink.ready).toBe(false);
      expect(calls).toEqual([]);
      expect(first.byteLength).toBeGreaterThanOrEqual(HIGH_WATER_BYTES);
      reader.resume();
      await until('room', () => calls.length > 0);
      expect(calls).toEqual(['ready true']);
      expect(sink.ready).toBe(true);
      await until('the first spell', () => reader.bytes().byteLength === first.byteLength);
      reader.pause();
      const second = fill(sink);
      reader.resume();
      const all = join([first, second]);
      await until('the second spell', () => reader.bytes().byteLength === all.byteLength);
      await until('room again', () => calls.length > 1);
      expect(calls).toEqual(['ready true', 'ready true']);
      expect(Buffer.compare(reader.bytes(), all)).toBe(0);
    });

    it('takes what is written when it is not ready, so that a last word can be said', async () => {
      const { sink, reader } = await line();
      reader.pause();
      const before = fill(sink);
      expect(sink.write(framed(sink, encoder.encode('last')))).toBe(false);
      sink.end();
      reader.resume();
      await until('the end', () => reader.end() !== 'open');
      expect(reader.end()).toBe('clean');
      expect(Buffer.from(reader.bytes().slice(before.byteLength)).toString()).toBe('last');
    });

    it('ends after what was written, and tells so once', async () => {
      const { sink, reader, calls } = await line();
      sink.write(framed(sink, encoder.encode('a')));
      sink.end();
      sink.end();
      await until('the end', () => reader.end() !== 'open');
      await until('the close', () => calls.length > 0);
      expect(reader.end()).toBe('clean');
      expect(Buffer.from(reader.bytes()).toString()).toBe('a');
      expect(calls).toEqual(['close']);
    });

    it('does nothing with what is written after the end', async () => {
      const { sink, reader, calls } = await line();
      sink.write(framed(sink, encoder.encode('a')));
      sink.end();
      expect(sink.ready).toBe(false);
      expect(sink.write(framed(sink, encoder.encode('b')))).toBe(false);
      await until('the end', () => reader.end() !== 'open');
      await until('the close', () => calls.length > 0);
      expect(sink.write(framed(sink, encoder.encode('c')))).toBe(false);
      expect(Buffer.from(reader.bytes()).toString()).toBe('a');
      expect(calls).toEqual(['close']);
    });

    it('tells once that the reader has gone, and does nothing with what is written then', async () => {
      const { sink, reader, calls } = await line();
      sink.write(framed(sink, encoder.encode('a')));
      await until('the first bytes', () => reader.bytes().byteLength === 1);
      reader.leave();
      await until('the close', () => calls.length > 0);
      expect(sink.ready).toBe(false);
      expect(sink.write(framed(sink, encoder.encode('b')))).toBe(false);
      sink.end();
      expect(calls).toEqual(['close']);
    });

    it('tells that a reader who took nothing any more has gone, and calls no more for room', async () => {
      const { sink, reader, calls } = await line();
      reader.pause();
      fill(sink);
      reader.leave();
      await until('the close', () => calls.includes('close'));
      expect(calls).toEqual(['close']);
    });
  });
}

/** As the writer of a stream frames its bytes. */
function framed({ framing }: Sink, bytes: Uint8Array): Uint8Array {
  if (framing === 'none') return bytes;
  return join([encoder.encode(`${bytes.byteLength.toString(16)}\r\n`), bytes, encoder.encode('\r\n')]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
