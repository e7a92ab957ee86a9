/** The least that Node's own HTTP server can do: one encoded block, `res.write` to each response. No log, no resume. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { announce, toEvent } from './event.ts';

const open = new Set<ServerResponse>();

function subscribe(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  open.add(response);
  response.write(':ok\n\n');
  response.once('close', () => open.delete(response));
}

async function publish(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  request.setEncoding('utf8');
  for await (const text of request) body += text;
  const { id, event } = toEvent(JSON.parse(body));
  const block = Buffer.from(`id: ${id}\ndata: ${JSON.stringify(event)}\n\n`);
  for (const one of open) one.write(block);
  const answer = JSON.stringify({ id });
  response.writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': answer.length }).end(answer);
}

const server = createServer((request, response) => {
  if (request.method === 'POST') void publish(request, response);
  else subscribe(response);
});
// Writers may pause for longer than Node's 5 s while thousands of streams are opened.
server.keepAliveTimeout = 65_000;
server.listen(0, '127.0.0.1', () => announce(server));
