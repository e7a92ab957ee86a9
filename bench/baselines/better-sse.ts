/** The library better-sse on `node:http`, as its own guide puts it together: one group of sessions, `broadcast` to all. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createChannel, createSession } from 'better-sse';
import { announce, toEvent } from './event.ts';

const sessions = createChannel();

async function subscribe(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const session = await createSession(request, response);
  sessions.register(session);
  await session.batch((buffer) => void buffer.comment('ok').dispatch());
}

async function publish(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  request.setEncoding('utf8');
  for await (const text of request) body += text;
  const { id, event } = toEvent(JSON.parse(body));
  sessions.broadcast(event, 'message', { eventId: id });
  const answer = JSON.stringify({ id });
  response.writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': answer.length }).end(answer);
}

const server = createServer((request, response) => {
  void (request.method === 'POST' ? publish(request, response) : subscribe(request, response));
});
// Writers may pause for longer than Node's 5 s while thousands of streams are opened.
server.keepAliveTimeout = 65_000;
server.listen(0, '127.0.0.1', () => announce(server));
