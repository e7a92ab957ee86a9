/**
 * Events and control events as bytes (protocol section 2). The bytes of a batch are made once for each representation and
 * shared by all its readers; the framing is part of them, so that a shared buffer goes to a socket as it is.
 */
import { type Control, type ControlBatch, encodeControlJson, encodeControlSse } from '../protocol/control.ts';
import { DEFAULT_TYPE } from '../protocol/event.ts';
import type { EventBatch, LogEvent } from '../protocol/event-batch.ts';
import { encodeNdjsonLine } from '../protocol/ndjson.ts';
import type { Framing } from './sink.ts';

export type StreamFormat = 'sse' | 'sse-named' | 'ndjson';

export interface Representation {
  readonly contentType: string;
  /** The bytes of a batch whose events' own ids are the stream's cursors: of a stream with one topic. */
  batch(batch: EventBatch): Uint8Array;
  /** The bytes of a batch on a stream with several topics. `cursorAt` gives the stream's cursor at an event. */
  compound(batch: EventBatch, cursorAt: (event: LogEvent) => string): Uint8Array;
  control(control: Control): Uint8Array;
  /** The bytes of control events that many readers get, made once. */
  controls(batch: ControlBatch): Uint8Array;
}

/** Event names that `EventSource` uses itself: a type of that name is sent unnamed. */
const RESERVED_TYPES = new Set(['open', 'error', DEFAULT_TYPE]);

/** What a line of a stream can carry as a name. The edge refuses other types, but code that embeds the broker may use any. */
const NAMEABLE = /^[^$\r\n\0][^\r\n\0]*$/;

const FORMATS: readonly StreamFormat[] = ['sse', 'sse-named', 'ndjson'];
const FRAMINGS: readonly Framing[] = ['none', 'chunked'];

const table = new Map(
  FORMATS.flatMap((format, row) =>
    FRAMINGS.map(
      (framing, column) => [`${format}/${framing}`, create(format, framing, row * FRAMINGS.length + column)] as const,
    ),
  ),
);

export function representationOf(format: StreamFormat, framing: Framing): Representation {
  const found = table.get(`${format}/${framing}`);
  if (found === undefined) throw new RangeError(`no representation ${format}/${framing}`);
  return found;
}

/** The bytes that end a framed stream. */
export const LAST_CHUNK: Uint8Array = new TextEncoder().encode('0\r\n\r\n');

function create(format: StreamFormat, framing: Framing, index: number): Representation {
  const frame = framing === 'chunked' ? chunk : encode;
  const named = format === 'sse-named';
  const sseBlock = (event: LogEvent, id: string | undefined): string => {
    // An event's JSON has no line break and its id none either, so the block needs no check here: this is the hot path.
    const name = named && !RESERVED_TYPES.has(event.type) && NAMEABLE.test(event.type) ? `event: ${event.type}\n` : '';
    return id === undefined ? `${name}data: ${event.json}\n\n` : `${name}id: ${id}\ndata: ${event.json}\n\n`;
  };
  const render = (batch: EventBatch, idOf: (event: LogEvent) => string | undefined): Uint8Array => {
    let text = '';
    for (const event of batch.events)
      text += format === 'ndjson' ? encodeNdjsonLine(event.json) : sseBlock(event, idOf(event));
    return frame(text);
  };
  const controlText = (control: Control): string =>
    format === 'ndjson' ? encodeNdjsonLine(encodeControlJson(control)) : encodeControlSse(control);
  const shared = (batch: EventBatch): Uint8Array => {
    const known = batch.encoded[index];
    if (known !== undefined) return known;
    const bytes = render(batch, (event) => event.id);
    batch.encoded[index] = bytes;
    return bytes;
  };
  return {
    contentType: format === 'ndjson' ? 'application/x-ndjson' : 'text/event-stream',
    batch: shared,
    compound: (batch, cursorAt) =>
      format === 'ndjson'
        ? shared(batch)
        : render(batch, (event) => (event.id === undefined ? undefined : cursorAt(event))),
    control: (control) => frame(controlText(control)),
    controls: ({ controls, encoded }) => {
      const bytes = encoded[index] ?? frame(controls.map(controlText).join(''));
      encoded[index] = bytes;
      return bytes;
    },
  };
}

const encoder = new TextEncoder();

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One chunk of a chunked body: its length in hexadecimal, the bytes, each closed by CRLF. */
function chunk(text: string): Uint8Array {
  const payload = encoder.encode(text);
  const head = encoder.encode(`${payload.byteLength.toString(16)}\r\n`);
  const bytes = new Uint8Array(head.byteLength + payload.byteLength + 2);
  bytes.set(head);
  bytes.set(payload, head.byteLength);
  bytes[bytes.byteLength - 2] = 0x0d;
  bytes[bytes.byteLength - 1] = 0x0a;
  return bytes;
}
