/** A line that can be cut: a TCP relay in front of a server, which drops its connections when told to. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Cuttable {
  /** Where it answers. */
  readonly url: string;
  /** How many connections it has carried. */
  readonly connections: () => number;
  /** Drops all connections at once, in the middle of whatever they carry. */
  cut(): void;
  /** While it is down, what connects is dropped. */
  down(is: boolean): void;
  close(): Promise<void>;
}

export async function cuttable(target: string): Promise<Cuttable> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let isDown = false;
  let count = 0;
  const server = createServer((near) => {
    if (isDown) {
      near.destroy();
      return;
    }
    count += 1;
    const far = connect({ host: hostname, port: Number(port) });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.pipe(other);
      // A reset of one side ends the other; there is nobody to tell.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => count,
    cut,
    down(is) {
      isDown = is;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}
