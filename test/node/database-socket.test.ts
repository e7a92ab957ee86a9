import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createDatabaseSocket } from '../../src/node/database-socket.ts';

async function listen(
  onConnection: (socket: Socket) => void,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(onConnection);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

it('fails when the connection is closed before a byte came back', async () => {
  const { port } = await listen((socket) => socket.resume().end());
  const socket = createDatabaseSocket()({ host: ['127.0.0.1'], port: [port] });
  socket.resume();
  socket.write('hello');
  const [error] = await once(socket, 'error');
  expect(error).toMatchObject({ code: 'ECONNRESET' });
});

it('ends well when the other side said something first', async () => {
  const { port } = await listen((socket) => socket.resume().end('N'));
  const socket = createDatabaseSocket()({ host: ['127.0.0.1'], port: [port] });
  socket.on('error', (error) => expect.fail(`${error}`));
  socket.resume();
  const [hadError] = (await once(socket, 'close')) as [boolean];
  expect(hadError).toBe(false);
});

it('tries several hosts in turn, and says which', async () => {
  const seen: string[] = [];
  const first = await listen((socket) => {
    seen.push('first');
    socket.end('N');
  });
  const second = await listen((socket) => {
    seen.push('second');
    socket.end('N');
  });
  const dial = createDatabaseSocket();
  for (let count = 0; count < 3; count += 1) {
    const socket = dial({ host: ['localhost', '127.0.0.1'], port: [first.port, second.port] });
    expect((socket as Socket & { host: string }).host).toBe(count % 2 === 0 ? 'localhost' : '127.0.0.1');
    socket.resume();
    await once(socket, 'close');
  }
  expect(seen).toEqual(['first', 'second', 'first']);
});
