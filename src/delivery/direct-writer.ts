/**
 * Writes to a connection's handle, past the socket's `Writable`.
 *
 * `socket.write` makes a request object, keeps state and defers a callback for every write, which together cost a third of what
 * the system call does. Nearly every write of a stream is taken by the system at once, and then none of that is needed: the
 * request object is untouched and serves the next write, of whatever connection. A write that the system does not take at once
 * keeps its request, and is waited for.
 *
 * Node does not export the class of those requests, so it is learnt from one ordinary write. As in `bare-socket.ts`, where
 * something is not as expected the socket's own `write` goes on being used.
 */
import type { Socket } from 'node:net';

/** Node's request of one write. It belongs to the write once that is not done at once, and then has an id. */
interface WriteRequest {
  getAsyncId(): number;
  oncomplete?: (this: WriteRequest, status: number) => void;
  /** Keeps the bytes from being collected while they are sent. */
  bytes?: Uint8Array;
}

interface WritableHandle {
  /** @returns 0, or an error number below it */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

/** What a request that belongs to no write answers when asked for its id. */
const NO_ID = -1;

let Request: (new () => WriteRequest) | undefined;
/** The request of the next write: none has used it so far. */
let spare: WriteRequest | undefined;
/** Set when requests are not as expected, for good. */
let unsupported = false;

export class DirectWriter {
  readonly #socket: Socket;
  readonly #handle: WritableHandle;
  readonly #owner: { drained(): void };
  /** Bytes that wait for the system to take them. */
  held = 0;

  private constructor(socket: Socket, handle: WritableHandle, owner: { drained(): void }) {
    this.#socket = socket;
    this.#handle = handle;
    this.#owner = owner;
  }

  /**
   * @param socket nothing else may be writing to it, and nothing else may write before the last direct write, though it may be
   *   ended or destroyed at any time
   * @param owner told when the system has taken bytes that were waiting
   * @returns `undefined` when the socket must be written to itself: always for the first one, from which the class is learnt
   */
  static of(socket: Socket, owner: { drained(): void }): DirectWriter | undefined {
    const { _handle: handle } = socket as unknown as { _handle: Partial<WritableHandle> | null };
    if (unsupported || typeof handle?.writeBuffer !== 'function') return undefined;
    if (Request !== undefined) return new DirectWriter(socket, handle as WritableHandle, owner);
    learn(handle as WritableHandle);
    return undefined;
  }

  write(bytes: Uint8Array): void {
    if (Request === undefined || this.#socket.destroyed) return;
    spare ??= new Request();
    const request = spare;
    const error = this.#handle.writeBuffer(request, bytes);
    if (error === 0 && request.getAsyncId() === NO_ID) return;
    spare = undefined;
    if (error !== 0) {
      this.#socket.destroy();
      return;
    }
    this.held += bytes.byteLength;
    request.bytes = bytes;
    request.oncomplete = (status) => {
      this.held -= bytes.byteLength;
      if (status < 0) this.#socket.destroy();
      else this.#owner.drained();
    };
  }
}

/** Looks at the request of the handle's next write, and lets it pass. */
function learn(handle: WritableHandle): void {
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
