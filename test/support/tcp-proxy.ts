/** A TCP relay in front of a server, to take the server away in every way that networks know, and to give it back. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Connections taken so far. */
  readonly taken: number;
  /** Ends every connection, and refuses new ones. */
  refuse(): void;
  /** Ends every connection, and takes new ones only to close them, as a port forwarder does. */
  hangUp(): void;
  /** Takes new connections and says nothing, and lets nothing pass on the old ones, as a dead line does. */
  freeze(): void;
  /** What was frozen stays dead for good; new connections work. */
  abandon(): void;
  /** Ends every connection; new ones work. */
  cut(): void;
  /** Takes the next request of at least `bytes` bytes to the server, and cuts the line before the answer comes back. */
  cutAfterRequest(bytes: number): Promise<void>;
  /** Everything works again; what was frozen goes on. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  dead: boolean;
  /** The near side was cut, and the far side is still at work. */
  halved: boolean;
}

/** @param reset connections are ended by a reset, as by a machine that is gone, instead of an orderly end */
export async function startTcpProxy(
  target: { readonly host: string; readonly port: number },
  { reset = false }: { readonly reset?: boolean } = {},
): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let mode: 'open' | 'hung up' | 'frozen' = 'open';
  let taken = 0;
  let trap: { readonly bytes: number; readonly sprung: () => void } | undefined;

  const server = createServer((near) => {
    taken += 1;
    if (mode === 'hung up') {
      near.on('error', () => near.destroy());
      near.resume();
      near.end();
      return;
    }
    const far = connect(target);
    const pair: Pair = { near, far, dead: false, halved: false };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      near.destroy();
      if (!pair.halved) far.destroy();
    };
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      // A reset is what this relay is for; the close that follows ends the other side.
      socket.on('error', end);
      socket.on('close', end);
      if (mode === 'frozen') socket.pause();
    }
    near.on('data', (bytes: Buffer) => {
      const sprung = trap !== undefined && bytes.length >= trap.bytes ? trap : undefined;
      if (sprung === undefined) {
        far.write(bytes);
        return;
      }
      trap = undefined;
      // The server has the whole request, and whoever asked will not hear what became of it.
      pair.halved = true;
      far.once('close', sprung.sprung);
      far.end(bytes);
      near.destroy();
    });
    far.on('data', (bytes: Buffer) => pair.halved || near.write(bytes));
  });

  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const endAll = () => {
    for (const socket of [...pairs].flatMap(({ near, far }) => [near, far])) {
      if (reset) socket.resetAndDestroy();
      else socket.destroy();
    }
  };
  const freezeAll = () => {
    for (const { near, far } of pairs) {
      near.pause();
      far.pause();
    }
  };

  return {
    port,
    get taken() {
      return taken;
    },
    refuse() {
      server.close();
      endAll();
    },
    hangUp() {
      mode = 'hung up';
      endAll();
    },
    freeze() {
      mode = 'frozen';
      freezeAll();
    },
    abandon() {
      mode = 'open';
      freezeAll();
      for (const pair of pairs) pair.dead = true;
    },
    cut: endAll,
    cutAfterRequest(bytes) {
      return new Promise((resolve) => {
        trap = { bytes, sprung: resolve };
      });
    },
    async mend() {
      mode = 'open';
      for (const { near, far, dead } of pairs) {
        if (dead) continue;
        near.resume();
        far.resume();
      }
      if (!server.listening) await listen(port);
    },
    async close() {
      endAll();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
