/** Requests that fetch would refuse to make: bytes on a socket, and headers as they stand. */
import * as http from 'node:http';
import * as https from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** A plain request through `node:http`, its body not decoded. */
export function ask(
  url: string,
  method: string,
  headers: Record<string, string>,
): Promise<{ readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const client = url.startsWith('https:') ? https : http;
    const request = client.request(url, { method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}

/** Opens a socket to the server of a URL. */
export function socketTo(url: string): Promise<Socket> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket =
      protocol === 'https:'
        ? connectTls({ host, port: Number(port || 443), servername: host }, () => resolve(socket))
        : connect({ host, port: Number(port || 80) }, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** What came back on a socket. `status` is 0 when the server closed it without a word. */
export interface RawAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Writes bytes and reads until the first response is whole, the server closes, or `ms` have passed.
 * Bytes that the server no longer takes are no fault of the exchange: it may answer and close before it has read all.
 */
export async function exchange(url: string, pieces: Iterable<string | Buffer>, ms = 10_000): Promise<RawAnswer> {
  const socket = await socketTo(url);
  let text = '';
  const done = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const finish = () => {
      clearTimeout(timer);
      resolve();
    };
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      if (isWhole(text)) finish();
    });
    // The end of the socket, however it comes, is an answer: what was read until then counts.
    socket.on('error', finish);
    socket.on('close', finish);
  });
  for (const piece of pieces) {
    if (socket.destroyed || text !== '') break;
    if (!socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), done]);
  }
  await done;
  socket.destroy();
  return { status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), text };
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))?.[1];
  return length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= end + 4 + Number(length);
}
