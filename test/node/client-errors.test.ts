import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answerClientErrors } from '../../src/node/client-errors.ts';

const server = createServer((_, response) => response.end('ok'));
answerClientErrors(server);
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

async function send(text: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (piece: string) => {
    answer += piece;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

it('answers what is no HTTP with a problem', async () => {
  const answer = await send('THIS IS NOT HTTP\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain('Content-Type: application/problem+json');
  expect(answer).toMatch(/X-Request-Id: [0-9a-f-]{36}/);
  expect(JSON.parse(answer.slice(answer.indexOf('{')))).toMatchObject({ status: 400, code: 'malformed' });
});

it('says that a head is too large, and what to do instead', async () => {
  const topics = Array.from({ length: 3000 }, (_, index) => `topic=t${index}`).join('&');
  const answer = await send(`GET /v1/events?${topics} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(JSON.parse(answer.slice(answer.indexOf('{')))).toMatchObject({
    code: 'too-large',
    detail: expect.stringContaining('POST /v1/streams'),
  });
});
