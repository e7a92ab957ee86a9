/**
 * The sockets of postgres.js (its option `socket`).
 *
 * When a connection is taken and closed again before a byte came back, as a port forwarder does while the database
 * behind it is away, postgres.js dials again at once, without a pause and without an end. These sockets make that an
 * error like a refused connection, so that the query fails and the driver backs off.
 */
import { connect, type Socket } from 'node:net';

/** What postgres.js tells: hosts and ports side by side, or the path of a Unix socket. */
export interface DatabaseAddress {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | false | undefined;
}

/** Makes a dialler. With several hosts it tries them in turn. */
export function createDatabaseSocket(): (address: DatabaseAddress) => Socket {
  let attempt = 0;
  return ({ host, port, path }) => {
    const index = attempt % Math.max(1, host.length);
    attempt += 1;
    const name = host[index] ?? 'localhost';
    // Not awaited: the driver attaches to the socket before it connects, and holds its own time-out against it.
    const socket = path ? connect(path) : connect(port[index] ?? 5432, name);
    socket.once('end', () => {
      if (socket.bytesRead === 0)
        socket.destroy(Object.assign(new Error('the connection was closed before it began'), { code: 'ECONNRESET' }));
    });
    // The driver reads the name from here when it checks a certificate.
    return Object.assign(socket, { host: name });
  };
}
