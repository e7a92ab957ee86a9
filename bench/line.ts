/** The line between a client and a server: a relay of TCP that counts what passes, and that can be cut. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Line {
  readonly url: string;
  /** Bytes that have passed in both directions: what TCP carries, and not its own headers. */
  bytes(): number;
  /** Ends every connection, and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** @param target the port of the server on this machine */
export async function openLine(target: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let bytes = 0;

  const relay = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (piece: Buffer) => {
        bytes += piece.length;
        to.write(piece);
      });
      // The close that follows an error ends the other side.
      from.on('error', end);
      from.on('close', () => {
        sockets.delete(from);
        end();
      });
    }
  });

  async function listen(at: number): Promise<number> {
    relay.listen(at, '127.0.0.1');
    await once(relay, 'listening');
    return (relay.address() as AddressInfo).port;
  }

  async function cut(): Promise<void> {
    const closed = once(relay, 'close');
    relay.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  const port = await listen(0);
  return {
    url: `http://127.0.0.1:${port}`,
    bytes: () => bytes,
    cut,
    async mend() {
      await listen(port);
    },
    async close() {
      if (relay.listening) await cut();
    },
  };
}
