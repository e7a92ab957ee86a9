import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createNodeSink } from '../../src/delivery/node-sink.ts';
import type { Sink } from '../../src/delivery/sink.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { until } from '../support/until.ts';
import { describeSink, type Line } from './sink-contract.ts';

interface Wire {
  readonly secure?: boolean;
  readonly version: '1.0' | '1.1';
}

/** What a raw socket has received: the head of the response, and its body, unframed if it is chunked. */
class RawResponse {
  #text = Buffer.alloc(0);
  closed = false;

  take(part: Buffer): void {
    this.#text = Buffer.concat([this.#text, part]);
  }

  get head(): string {
    const end = this.#text.indexOf('\r\n\r\n');
    return end === -1 ? '' : this.#text.subarray(0, end).toString('latin1');
  }

  get chunked(): boolean {
    return /^transfer-encoding: chunked$/im.test(this.head);
  }

  /** The body so far; `ended` when the last chunk was there, and nothing after it. */
  get body(): { readonly bytes: Buffer; readonly ended: boolean } {
    const rest = this.#text.subarray(this.#text.indexOf('\r\n\r\n') + 4);
    if (this.head === '') return { bytes: Buffer.alloc(0), ended: false };
    if (!this.chunked) return { bytes: rest, ended: this.closed };
    const parts: Buffer[] = [];
    let at = 0;
    for (;;) {
      const line = rest.indexOf('\r\n', at);
      if (line === -1) break;
      const size = Number.parseInt(rest.subarray(at, line).toString('latin1'), 16);
      if (size === 0) return { bytes: Buffer.concat(parts), ended: rest.byteLength === line + 4 };
      if (rest.byteLength < line + 2 + size + 2) break;
      parts.push(rest.subarray(line + 2, line + 2 + size));
      expect(rest.subarray(line + 2 + size, line + 4 + size).toString()).toBe('\r\n');
      at = line + 4 + size;
    }
    return { bytes: Buffer.concat(parts), ended: false };
  }
}

async function serve(answer: (response: ServerResponse) => void, secure = false): Promise<Server> {
  const server = secure
    ? createTlsServer(SELF_SIGNED, (_, response) => answer(response))
    : createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server as Server;
}

async function dial(server: Server, secure = false): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const socket: Socket = secure
    ? connectTls({ port, host: '127.0.0.1', ca: SELF_SIGNED.cert, servername: 'localhost' })
    : connect(port, '127.0.0.1');
  await new Promise((resolve, reject) => {
    socket.once(secure ? 'secureConnect' : 'connect', resolve);
    socket.once('error', reject);
  });
  // A server that ends may reset the connection; what arrived, and that it closed, is what counts.
  socket.on('error', () => socket.destroy());
  return socket;
}

async function open({
  secure,
  version,
}: Wire): Promise<Line & { readonly response: RawResponse; send(text: string): void }> {
  let sink: Sink | undefined;
  const server = await serve((outgoing) => {
    sink = createNodeSink(outgoing, [['Content-Type', 'text/event-stream']]);
  }, secure);
  const socket = await dial(server, secure);
  const response = new RawResponse();
  socket.on('data', (part) => response.take(part));
  socket.on('close', () => {
    response.closed = true;
  });
  socket.write(`GET / HTTP/${version}\r\nHost: localhost\r\n\r\n`);
  await until('the head of the response', () => response.head !== '');
  if (sink === undefined) throw new Error('there is no sink');
  return {
    sink,
    response,
    send: (text) => void socket.write(text),
    reader: {
      bytes: () => response.body.bytes,
      end: () => (response.body.ended ? 'clean' : response.closed ? 'cut' : 'open'),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      leave: () => socket.destroy(),
    },
    async close() {
      socket.destroy();
      sink?.end();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describeSink('a socket, HTTP/1.1', () => open({ version: '1.1' }));
describeSink('a socket, HTTP/1.0', () => open({ version: '1.0' }));
describeSink('a socket, HTTP/1.1 over TLS', () => open({ version: '1.1', secure: true }));

describe('the head of the response on a socket', () => {
  const lines: Line[] = [];
  afterEach(async () => {
    for (const line of lines.splice(0)) await line.close();
  });

  it('is chunked for HTTP/1.1, and the last of its connection', async () => {
    const line = await open({ version: '1.1' });
    lines.push(line);
    expect(line.sink.framing).toBe('chunked');
    expect(line.response.head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(line.response.head).toMatch(/^content-type: text\/event-stream$/im);
    expect(line.response.head).toMatch(/^transfer-encoding: chunked$/im);
    expect(line.response.head).toMatch(/^connection: close$/im);
    expect(line.response.head).not.toMatch(/content-length/i);
  });

  it('has no framing for HTTP/1.0: the body ends with the connection', async () => {
    const line = await open({ version: '1.0' });
    lines.push(line);
    expect(line.sink.framing).toBe('none');
    expect(line.response.head).not.toMatch(/transfer-encoding|content-length/i);
    expect(line.response.head).toMatch(/^connection: close$/im);
  });

  it('arrives before anything is written', async () => {
    const line = await open({ version: '1.1' });
    lines.push(line);
    expect(line.reader.bytes().byteLength).toBe(0);
  });
});

describe('where a connection cannot be taken over', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  it.each([
    ['the head was sent already', (outgoing: ServerResponse) => outgoing.flushHeaders()],
    ['the connection is gone', (outgoing: ServerResponse) => outgoing.socket?.destroy()],
  ])('there is no sink: %s', async (_, before) => {
    let sink: Sink | undefined | 'not asked' = 'not asked';
    const server = await serve((outgoing) => {
      before(outgoing);
      sink = createNodeSink(outgoing, []);
      outgoing.end();
    });
    const socket = await dial(server);
    closing.push(
      () => socket.destroy(),
      () => server.close(),
    );
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('the request', () => sink !== 'not asked');
    expect(sink).toBeUndefined();
  });

  it('what a reader sends after its request does not disturb the stream', async () => {
    const line = await open({ version: '1.1' });
    closing.push(() => void line.close());
    const encoder = new TextEncoder();
    line.sink.write(encoder.encode('1\r\na\r\n'));
    await until('the first bytes', () => line.reader.bytes().byteLength === 1);
    line.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\nand something that is no HTTP at all\r\n');
    // The echo of a second connection says that the server has had time to look at it.
    const other = await open({ version: '1.1' });
    closing.push(() => void other.close());
    line.sink.write(encoder.encode('1\r\nb\r\n'));
    await until('the next bytes', () => line.reader.bytes().byteLength === 2);
    expect(line.reader.end()).toBe('open');
  });
});
