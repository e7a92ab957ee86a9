/**
 * An event-stream reader over a bare socket, with a parser of its own (WHATWG HTML, section 9.2): so that a test can stop
 * reading, see every block, and owes nothing to the code under test. HTTP/1.1 with chunked framing, as the server sends it.
 */
import { connect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';

/** One block: `event` is absent on events of the log, and begins with `$` on control events. */
export interface Block {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly retry: string | undefined;
  readonly data: string;
}

export interface SseRequest {
  readonly port: number;
  readonly path: string;
  readonly lastEventId?: string | undefined;
  readonly token?: string | undefined;
  readonly onBlock: (block: Block) => void;
  /** Called once, when the line is gone, whoever ended it. */
  readonly onEnd?: ((status: number | undefined) => void) | undefined;
}

export interface SseConnection {
  readonly socket: Socket;
  /** The status of the answer, as soon as it is there. */
  readonly status: () => number | undefined;
  close(): void;
}

export function openSse({ port, path, lastEventId, token, onBlock, onEnd }: SseRequest): SseConnection {
  const socket = connect(port, '127.0.0.1');
  let status: number | undefined;
  let head: Buffer = Buffer.alloc(0);
  const unchunk = createUnchunker();
  const parse = createBlockParser(onBlock);
  socket.on('connect', () => {
    let request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n`;
    if (lastEventId !== undefined) request += `Last-Event-ID: ${lastEventId}\r\n`;
    if (token !== undefined) request += `Authorization: Bearer ${token}\r\n`;
    socket.write(`${request}\r\n`);
  });
  socket.on('data', (bytes: Buffer) => {
    if (status !== undefined) {
      if (status === 200) parse(unchunk(bytes));
      return;
    }
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head.toString('latin1', 0, end))?.[1]);
    if (status === 200) parse(unchunk(head.subarray(end + 4)));
    else socket.destroy();
  });
  // A cut line is an end like any other here.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => onEnd?.(status));
  return { socket, status: () => status, close: () => socket.destroy() };
}

/** Takes the bytes of a chunked body (RFC 9112 section 7.1), gives those of its content. */
export function createUnchunker(): (bytes: Buffer) => Buffer {
  let rest: Buffer = Buffer.alloc(0);
  /** Bytes of the present chunk still to come, its line break included; 0 before a size line. */
  let left = 0;
  return (bytes) => {
    const content: Buffer[] = [];
    let input = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    rest = Buffer.alloc(0);
    while (input.length > 0) {
      if (left === 0) {
        const end = input.indexOf('\r\n');
        if (end === -1) {
          rest = input;
          break;
        }
        const size = Number.parseInt(input.toString('latin1', 0, end), 16);
        if (!Number.isInteger(size)) throw new Error('a chunk has no size');
        if (size === 0) break;
        left = size + 2;
        input = input.subarray(end + 2);
      }
      const taken = Math.min(left, input.length);
      // The last two bytes of a chunk are its line break.
      const held = Math.max(0, Math.min(taken, left - 2));
      if (held > 0) content.push(input.subarray(0, held));
      left -= taken;
      input = input.subarray(taken);
    }
    return content.length === 1 ? (content[0] ?? rest) : Buffer.concat(content);
  };
}

/** The server ends its lines with LF alone, and never splits a block's data, so that much is all this parser knows. */
function createBlockParser(onBlock: (block: Block) => void): (bytes: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return (bytes) => {
    const text = rest + decoder.write(bytes);
    let start = 0;
    for (let end = text.indexOf('\n\n', start); end !== -1; end = text.indexOf('\n\n', start)) {
      onBlock(readBlock(text.slice(start, end)));
      start = end + 2;
    }
    rest = text.slice(start);
  };
}

function readBlock(text: string): Block {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
  }
  return {
    event: fields.get('event'),
    id: fields.get('id'),
    retry: fields.get('retry'),
    data: fields.get('data') ?? '',
  };
}
