/** A TCP relay in front of the database, to take the database away and give it back. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

export interface Proxy {
  readonly port: number;
  /** How many connections were taken so far. */
  readonly taken: number;
  /** Ends every connection, and refuses new ones. */
  cut(): void;
  /** Ends every connection, and takes new ones only to close them, as a port forwarder does. */
  hangUp(): void;
  /** Holds back all bytes and takes new connections without a word, as a dead line does. */
  freeze(): void;
  /** Takes connections again. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function createProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let mode: 'open' | 'hung up' | 'frozen' = 'open';
  let taken = 0;
  const server: Server = createServer((near) => {
    taken += 1;
    if (mode === 'hung up') {
      near.resume();
      near.end();
      return;
    }
    const far = dial(target);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      // A reset is what this relay is for; the close that follows ends the other side.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.on('data', (bytes) => other.write(bytes));
      if (mode === 'frozen') socket.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  const { port } = address;
  const end = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    get taken() {
      return taken;
    },
    cut() {
      server.close();
      end();
    },
    hangUp() {
      mode = 'hung up';
      end();
    },
    freeze() {
      mode = 'frozen';
      for (const socket of sockets) socket.pause();
    },
    async mend() {
      mode = 'open';
      for (const socket of sockets) socket.resume();
      if (!server.listening) await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    },
    async close() {
      end();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
