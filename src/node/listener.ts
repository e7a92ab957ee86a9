/** The HTTP server of Node: where it listens, how long it waits for whom, and how it stops. */
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Config } from '../config/config.ts';
import { answerClientErrors } from './client-errors.ts';
import { StartError } from './start-error.ts';

export interface Listener {
  /** @throws StartError when the port cannot be had */
  listen(at: Pick<Config, 'port' | 'host'>): Promise<void>;
  /** Where it answers, without a slash at the end. Only once it listens. */
  readonly url: string;
  /**
   * Takes no more connections, and resolves when the last request has been answered; what is still open after
   * {@link DRAIN_MS} is cut. Streams are requests too: who holds them is to end them.
   */
  drain(): Promise<void>;
  /** Ends it at once. */
  destroy(): void;
}

/** What is still open so long after the drain began is cut, in ms. */
const DRAIN_MS = 8000;
/** How often connections whose last request has ended are looked for during a drain, in ms. */
const IDLE_MS = 50;
/** Requests must be whole within this time, and their headers within the shorter one, in ms. */
const REQUEST_MS = 30_000;
const HEADERS_MS = 10_000;
/** Longer than proxies keep an idle connection to us, so that it is they who close it. */
const KEEP_ALIVE_MS = 65_000;

export function createListener(fetch: Parameters<typeof createAdaptorServer>[0]['fetch']): Listener {
  const server = createAdaptorServer({ fetch }) as Server;
  answerClientErrors(server);
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = HEADERS_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const sockets = watchSockets(server);
  return {
    listen: ({ port, host }) => listen(server, port, host),
    get url() {
      const { address, port, family } = server.address() as AddressInfo;
      return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
    },
    async drain() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Nothing was ever said on these: a browser opens such ones ahead, and they would hold up the drain.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      const idle = setInterval(() => server.closeIdleConnections(), IDLE_MS);
      await closed;
      clearTimeout(cut);
      clearInterval(idle);
    },
    destroy() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const known = {
        EADDRINUSE: `Port ${port} is in use`,
        EACCES: `Port ${port} may not be opened`,
        EADDRNOTAVAIL: `${host} is no address of this machine`,
        ENOTFOUND: `${host} is no name of this machine`,
      };
      const text = error.code === undefined ? undefined : known[error.code as keyof typeof known];
      reject(
        text === undefined
          ? error
          : new StartError('port-in-use', `${text}. Choose another with --port or --host.`, { cause: error }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}

/** The connections that are open now. */
function watchSockets(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  function forget(this: Socket): void {
    open.delete(this);
  }
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', forget);
  });
  return open;
}
