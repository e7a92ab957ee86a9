/** A TCP proxy that kills each connection after a random number of bytes, in the middle of whatever passes. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly url: string;
  /** Connections cut so far. */
  readonly cuts: () => number;
  /** From now on nothing is cut. */
  heal(): void;
  close(): Promise<void>;
}

/** @param bytes the least and the most bytes, both directions together, that a connection lives for */
export async function startCuttingProxy(
  port: number,
  random: () => number,
  bytes: readonly [least: number, most: number],
): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let cuts = 0;
  let healed = false;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    let left = bytes[0] + random() * (bytes[1] - bytes[0]);
    const end = () => {
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk: Buffer) => {
        if (healed || chunk.length <= left) {
          left -= chunk.length;
          to.write(chunk);
          return;
        }
        cuts += 1;
        // A part of the piece still passes, so that a block or an answer is cut in its middle.
        to.write(chunk.subarray(0, Math.floor(left)), end);
        left = 0;
      });
      from.on('error', end);
      from.on('close', () => {
        sockets.delete(from);
        end();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => cuts,
    heal() {
      healed = true;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
