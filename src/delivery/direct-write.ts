/**
 * Writes to a connection's handle, past the socket's `Writable`.
 *
 * `socket.write` makes a request object, keeps state and defers a callback for every write. Nearly every write of a stream is
 * taken by the system at once, and then none of that is needed: the request object is untouched and serves the next write, of
 * whatever connection. A write that the system does not take at once keeps its request, and is waited for.
 *
 * Node does not export the class of those requests, so it is learnt from one ordinary write. As in `bare-socket.ts`, where
 * something is not as expected the socket's own `write` goes on being used.
 */
import type { Socket } from 'node:net';

/** Node's request of one write. It belongs to the write once that is not done at once, and then has an id. */
interface WriteRequest {
  getAsyncId(): number;
  oncomplete?: (status: number) => void;
  /** Keeps the bytes from being collected while they are sent. */
  bytes?: Uint8Array;
}

/** What is under a socket. */
export interface SocketHandle {
  /** @returns 0, or an error number below it */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

/** Told of a write that was not taken at once, when it is over. */
export interface Writer {
  /** @param ok whether the system took it; if not, the connection is broken */
  written(bytes: number, ok: boolean): void;
}

/** What a request that belongs to no write answers when asked for its id. */
const NO_ID = -1;

let Request: (new () => WriteRequest) | undefined;
/** The request of the next write: none has used it so far. */
let spare: WriteRequest | undefined;
/** Set when requests are not as expected, for good. */
let unsupported = false;

/**
 * @param socket once its handle is used, it may be ended and destroyed, but not written to
 * @returns its handle, for {@link writeDirectly}; `undefined` when the socket must be written to itself. That is always so for
 *   the first one, from which the class is learnt
 */
export function directHandle(socket: Socket): SocketHandle | undefined {
  const { _handle: handle } = socket as unknown as { _handle: Partial<SocketHandle> | null };
  if (unsupported || typeof handle?.writeBuffer !== 'function') return undefined;
  if (Request !== undefined) return handle as SocketHandle;
  learn(handle as SocketHandle);
  return undefined;
}

/** @returns whether the bytes were `taken`, are `waiting` (then `writer` is told when that is over), or the connection is `broken` */
export function writeDirectly(handle: SocketHandle, bytes: Uint8Array, writer: Writer): 'taken' | 'waiting' | 'broken' {
  if (Request === undefined) throw new Error('a handle was written to before any was given');
  spare ??= new Request();
  const request = spare;
  const error = handle.writeBuffer(request, bytes);
  if (error === 0 && request.getAsyncId() === NO_ID) return 'taken';
  spare = undefined;
  if (error !== 0) return 'broken';
  request.bytes = bytes;
  request.oncomplete = (status) => writer.written(bytes.byteLength, status >= 0);
  return 'waiting';
}

/** Looks at the request of the handle's next write, and lets it pass. */
function learn(handle: SocketHandle): void {
  const { writeBuffer } = handle;
  handle.writeBuffer = (request, bytes) => {
    handle.writeBuffer = writeBuffer;
    const Found = request.constructor as new () => WriteRequest;
    if (isRequest(new Found())) Request = Found;
    else unsupported = true;
    return writeBuffer.call(handle, request, bytes);
  };
}

function isRequest(made: Partial<WriteRequest>): boolean {
  return typeof made.getAsyncId === 'function' && made.getAsyncId() === NO_ID;
}
