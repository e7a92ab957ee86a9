import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { directHandle, type SocketHandle, writeDirectly } from '../../src/delivery/direct-write.ts';
import { until } from '../support/until.ts';

/** Both ends of a connection. */
async function pair(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  for (const end of [near, far]) end.on('error', () => {});
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

/** Learns the class of write requests from a first socket, if no test has. */
async function handleOf(socket: Socket): Promise<SocketHandle> {
  const { near } = await pair();
  if (directHandle(near) === undefined) near.write(Buffer.from('x'));
  const handle = directHandle(socket);
  if (handle === undefined) throw new Error('this Node has changed: streams are written to by their sockets');
  return handle;
}

it('writes at once, later when the reader takes it, and says when the connection is broken', async () => {
  const { near, far } = await pair();
  const handle = await handleOf(near);
  const received: Buffer[] = [];
  far.on('data', (part) => received.push(part));
  const over: [number, boolean][] = [];
  const writer = { written: (bytes: number, ok: boolean) => over.push([bytes, ok]) };
  expect(writeDirectly(handle, Buffer.from('first'), writer)).toBe('taken');
  await until('the first', () => Buffer.concat(received).toString() === 'first');

  far.pause();
  const part = Buffer.alloc(1024 * 1024, 7);
  let written = 0;
  let waiting = 0;
  while (waiting < 3) {
    if (writeDirectly(handle, part, writer) === 'waiting') waiting += 1;
    written += part.byteLength;
  }
  expect(over).toEqual([]);
  far.resume();
  await until('all is taken', () => over.length === waiting);
  expect(over).toEqual(Array(waiting).fill([part.byteLength, true]));
  await until('all is there', () => Buffer.concat(received).byteLength === written + 5);

  far.pause();
  over.length = 0;
  while (writeDirectly(handle, part, writer) === 'taken');
  near.destroy();
  await until('the write that waited has failed', () => over.length === 1);
  expect(over).toEqual([[part.byteLength, false]]);
  expect(writeDirectly(handle, part, writer)).toBe('broken');
});
