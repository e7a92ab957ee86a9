import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, killServers, type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { type Block, openSse, type SseConnection } from '../support/sse-client.ts';
import { pause, until } from '../support/until.ts';
import { eventsPath, publishUntilAcknowledged } from './clients.ts';

const TOPIC = 'drain';
/** The promise, in ms. */
const DRAIN_MS = 10_000;

afterEach(killServers);

async function start(): Promise<{ readonly server: ServerProcess; readonly port: number }> {
  const port = await freePort();
  const server = await startServerProcess('serve', {
    PORT: String(port),
    DATABASE_URL: 'memory:',
    AUTH_SECRET: 'of no use here, but long enough to be taken',
    AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'] }),
    LIMIT_WRITES_PER_ADDRESS: 'none',
    LIMIT_WRITES_PER_SUBJECT: 'none',
  });
  return { server, port };
}

interface Reader {
  readonly blocks: readonly Block[];
  readonly connection: SseConnection;
  readonly ended: () => boolean;
}

function read(port: number): Reader {
  const blocks: Block[] = [];
  let ended = false;
  const connection = openSse({
    port,
    path: eventsPath(TOPIC),
    onBlock: (block) => blocks.push(block),
    onEnd: () => {
      ended = true;
    },
  });
  return { blocks, connection, ended: () => ended };
}

const isReady = ({ blocks }: Reader) => blocks.some(({ event }) => event === '$ready');

/** Opens a stream and stops reading, with far more to come than the buffers on the way hold. */
async function stall(port: number): Promise<Socket> {
  const reader = read(port);
  await until('the reader that will stop has begun', () => isReady(reader));
  reader.connection.socket.pause();
  const piece = 'x'.repeat(200_000);
  for (let count = 0; count < 80; count += 1) await publishUntilAcknowledged(port, TOPIC, [piece]);
  return reader.connection.socket;
}

/** Begins a publish and holds back the end of its body. */
async function beginPublish(port: number): Promise<{ finish(): Promise<string> }> {
  const body = JSON.stringify({ data: 'in flight' });
  const socket = connect(port, '127.0.0.1');
  // Its server goes away under it: that is what these tests are about.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  socket.write(
    `POST ${eventsPath(TOPIC)} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
  );
  await until('the server has the request', () => text.startsWith('HTTP/1.1 100 '));
  text = '';
  socket.write(body.slice(0, 5));
  return {
    async finish() {
      socket.write(body.slice(5));
      await once(socket, 'close');
      return text;
    },
  };
}

/** The status of an attempt to open a stream; `undefined` when the connection was refused. */
function attempt(port: number): Promise<number | undefined> {
  return new Promise((resolve) => openSse({ port, path: eventsPath(TOPIC), onBlock: () => {}, onEnd: resolve }));
}

describe('a server that is asked to end', () => {
  it('tells every reader when to come back, finishes what it holds, takes nothing new, and ends with 0', async () => {
    const { server, port } = await start();
    const readers = Array.from({ length: 12 }, () => read(port));
    await until('all readers are live', () => readers.every(isReady));
    const publish = await beginPublish(port);
    // Another connection that is open and idle must not hold up the end.
    const idle = connect(port, '127.0.0.1');
    idle.on('error', () => undefined);
    await once(idle, 'connect');

    const begun = performance.now();
    server.child.kill('SIGTERM');
    await until('all streams are ended', () => readers.every(({ ended }) => ended()));
    expect(await attempt(port)).toBeOneOf([undefined, 503]);
    expect(server.running()).toBe(true);
    expect(await publish.finish()).toMatch(/(^|\r\n\r\n)HTTP\/1\.1 201 /);
    expect(await server.exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(DRAIN_MS);

    const retries = readers.map(({ blocks }) => {
      const last = blocks.at(-1)!;
      expect(last.event).toBe('$close');
      const { reason, retry } = JSON.parse(last.data);
      expect(reason).toBe('draining');
      expect(last.retry).toBe(String(retry));
      expect(retry).toBeGreaterThanOrEqual(1000);
      expect(retry).toBeLessThanOrEqual(15_000);
      return retry;
    });
    // Jittered, so that a restart does not bring everyone back at once.
    expect(new Set(retries).size).toBeGreaterThan(6);
    expect(Math.max(...retries) - Math.min(...retries)).toBeGreaterThan(1000);
  });

  it('ends in time though a reader has stopped reading', { timeout: 60_000 }, async () => {
    const { server, port } = await start();
    const stalled = await stall(port);
    const begun = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(DRAIN_MS);
    stalled.destroy();
  });

  it('ends in time though a publish never comes to its end', async () => {
    const { server, port } = await start();
    await beginPublish(port);
    const begun = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(DRAIN_MS);
  });

  it('ends at once when it is asked a second time', async () => {
    const { server, port } = await start();
    await beginPublish(port);
    server.child.kill('SIGTERM');
    await until('it takes no more streams', async () => (await attempt(port)) !== 200);
    // Two signals within half a second count as one, since a terminal and npm may both send it.
    await pause(700);
    expect(server.running()).toBe(true);
    const begun = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(143);
    expect(performance.now() - begun).toBeLessThan(1500);
  });
});
