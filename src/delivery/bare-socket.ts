/**
 * Takes a connection out of `node:http`, so that an open stream keeps nothing of its request: no parser, no request, no response,
 * none of their listeners. That is about half of what an idle stream would hold (see `docs/benchmarks.md`).
 *
 * Node does the same when it hands a connection to another process (`subprocess.send`), but offers no call for it. So this looks
 * at each internal part before it touches it, and where one is not as expected the connection simply stays as it is.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The handle under a socket, and the HTTP parser on it, as far as they are used here. */
interface Handle {
  readonly writeQueueSize?: number;
}

interface Parser {
  unconsume(): void;
  remove(): void;
  close(): void;
}

interface Inside {
  _handle: Handle | null;
  parser: Parser | null;
  readonly _server?: { _connections: number } | null;
}

/**
 * @param outgoing a response whose head has been written, and to which nothing else will be
 * @returns a socket with the same connection and nothing else, or `undefined` when the connection was left as it is. Must not
 *   be called from within the request's own event, where the parser is still at work.
 */
export function takeBareSocket(outgoing: ServerResponse): Socket | undefined {
  const { socket } = outgoing;
  if (socket === null || socket.destroyed || socket.writableLength > 0) return undefined;
  // Found by the socket, not imported: this room is also bundled for runtimes that have no `node:net`. One of TLS stays as it is.
  const SocketClass = socket.constructor as new (options: object) => Socket;
  if (SocketClass.name !== 'Socket') return undefined;
  const inside = socket as unknown as Inside;
  const { _handle: handle, parser } = inside;
  if (!handle || !isParser(parser) || handle.writeQueueSize !== 0) return undefined;
  parser.unconsume();
  parser.remove();
  outgoing.detachSocket(socket);
  inside.parser = null;
  inside._handle = null;
  // The old socket ends without its handle: whoever waits for its end, the server's count included, learns of it.
  socket.destroy();
  setImmediate(() => parser.close());
  return new SocketClass({ handle });
}

function isParser(parser: unknown): parser is Parser {
  return (
    typeof parser === 'object' &&
    parser !== null &&
    ['unconsume', 'remove', 'close'].every((name) => typeof (parser as Record<string, unknown>)[name] === 'function')
  );
}
