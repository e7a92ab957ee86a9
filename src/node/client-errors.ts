/** Requests that are no HTTP, or whose head is too large or too slow: `node:http` never hands them to the app, so they are answered here. */
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_TYPE, type ProblemCode, problem } from '../protocol/problem.ts';

/** Errors of Node's HTTP parser that have an answer of their own. */
const CODES: Readonly<Partial<Record<string, readonly [ProblemCode, detail: string]>>> = {
  HPE_HEADER_OVERFLOW: ['too-large', 'The head of a request has at most 16 KiB: send many topics by POST /v1/streams.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['too-large', 'The chunk extensions are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request-timeout', 'The request took too long to arrive.'],
};

/** Gives such requests a problem document, and ends their connections. */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [code, detail] = CODES[error.code ?? ''] ?? ['malformed', 'The request is not HTTP/1.1.'];
    const document = problem(code, detail);
    const body = JSON.stringify(document);
    socket.end(
      `HTTP/1.1 ${document.status} ${document.title}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
        `X-Request-Id: ${crypto.randomUUID()}\r\nConnection: close\r\n\r\n${body}`,
      () => socket.destroy(),
    );
  });
}
