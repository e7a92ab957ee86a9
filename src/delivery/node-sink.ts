/**
 * A sink that writes to a Node connection itself.
 *
 * `ServerResponse.write` frames, copies and corks for each reader; here the framed bytes are made once for all of them and handed
 * to the socket. Per delivery that leaves little more than the system call (see `docs/benchmarks.md`).
 *
 * The response is written as HTTP/1.1 chunked, or until the connection ends for an HTTP/1.0 client (nginx asks upstreams so
 * unless told otherwise). Either way it is the connection's last response, and says so.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { takeBareSocket } from './bare-socket.ts';
import { directHandle, type SocketHandle, type Writer, writeDirectly } from './direct-write.ts';
import { LAST_CHUNK } from './representation.ts';
import { type Framing, HIGH_WATER_BYTES, type Sink } from './sink.ts';

/** How long after the end of a stream its reader may take nothing before the connection is cut, in ms. */
const LINGER_MS = 5000;

/** The sink of a socket, found again by the socket's listeners, which are shared by all sockets. */
const SINK = Symbol('sink');

interface SinkSocket extends Socket {
  [SINK]?: NodeSink;
}

/**
 * Begins the response and takes over its connection.
 *
 * @param outgoing the response, with nothing written yet
 * @returns the sink, or `undefined` when this is no plain HTTP/1 connection (HTTP/2, or already closed): use the web sink then
 */
export function createNodeSink(
  outgoing: ServerResponse,
  headers: Iterable<readonly [string, string]>,
): Sink | undefined {
  const { socket } = outgoing;
  if (!socket || !canTakeOver(outgoing)) return undefined;
  const framing: Framing = outgoing.req.httpVersionMinor >= 1 ? 'chunked' : 'none';
  for (const [name, value] of headers) outgoing.appendHeader(name, value);
  outgoing.setHeader('Connection', 'close');
  if (framing === 'chunked') outgoing.setHeader('Transfer-Encoding', 'chunked');
  outgoing.writeHead(200);
  outgoing.flushHeaders();
  const sink = new NodeSink(socket, framing);
  // Not now: this may run within the parser that read the request.
  setImmediate(() => sink.strip(outgoing));
  return sink;
}

/** Whether the response is the next one of a plain HTTP/1 connection, and nothing of it was written. */
export function canTakeOver(outgoing: ServerResponse): boolean {
  return outgoing.socket?.destroyed === false && !outgoing.headersSent && outgoing.req.httpVersionMajor === 1;
}

class NodeSink implements Sink, Writer {
  readonly framing: Framing;
  #socket: SinkSocket;
  /** Written to in place of the socket, once nothing else writes to that. */
  #handle: SocketHandle | undefined;
  /** Bytes that were written to the handle and wait for the system to take them. */
  #held = 0;
  #ended = false;
  ready = true;
  onReady: (() => void) | undefined;
  onClose: (() => void) | undefined;

  constructor(socket: SinkSocket, framing: Framing) {
    this.#socket = socket;
    this.framing = framing;
    this.#listen(socket);
    socket.setNoDelay(true);
    // Streams are quiet for long and end when the reader goes; the heartbeat finds a dead line.
    socket.setTimeout(0);
  }

  /** Goes on without the HTTP machinery, if it can be taken off. */
  strip(outgoing: ServerResponse): void {
    if (this.#ended) return;
    const old = this.#socket;
    delete old[SINK];
    const bare = takeBareSocket(outgoing);
    if (bare === undefined) {
      old[SINK] = this;
      return;
    }
    this.#socket = bare;
    this.#listen(bare);
    this.#handle = directHandle(bare);
    // Nothing more is expected of the reader; what it says is read only to see it go.
    bare.resume();
  }

  #listen(socket: SinkSocket): void {
    socket[SINK] = this;
    socket.on('drain', drained);
    socket.on('error', failed);
    socket.on('close', closed);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended) return false;
    if (this.#handle !== undefined) this.#writeDirectly(this.#handle, bytes);
    else {
      const socket = this.#socket;
      socket.write(bytes);
      if (socket.writableLength > HIGH_WATER_BYTES) this.ready = false;
    }
    return this.ready;
  }

  #writeDirectly(handle: SocketHandle, bytes: Uint8Array): void {
    const outcome = writeDirectly(handle, bytes, this);
    if (outcome === 'taken') return;
    if (outcome === 'broken') {
      this.#socket.destroy();
      return;
    }
    this.#held += bytes.byteLength;
    if (this.#held > HIGH_WATER_BYTES) this.ready = false;
  }

  written(bytes: number, ok: boolean): void {
    this.#held -= bytes;
    if (!ok) this.#socket.destroy();
    else if (this.#held === 0) this.drained();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.ready = false;
    // A reader that no longer takes anything must not hold the connection for ever.
    this.#socket.setTimeout(LINGER_MS, lingered);
    if (this.framing === 'chunked') this.#socket.end(LAST_CHUNK);
    else this.#socket.end();
  }

  drained(): void {
    if (this.ready || this.#ended) return;
    this.ready = true;
    this.onReady?.();
  }

  closed(): void {
    this.#ended = true;
    this.ready = false;
    this.onClose?.();
  }
}

function lingered(this: SinkSocket): void {
  this.destroy();
}

/** A broken connection: `close` follows and tells. */
function failed(): void {}

function drained(this: SinkSocket): void {
  this[SINK]?.drained();
}

function closed(this: SinkSocket): void {
  this[SINK]?.closed();
}
