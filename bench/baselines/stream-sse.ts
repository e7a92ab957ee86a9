/** Hono's `streamSSE` on `@hono/node-server`: a set of streams, `writeSSE` to each. No log, no resume. */
import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { announce, toEvent } from './event.ts';

const open = new Set<SSEStreamingApi>();
const app = new Hono();

app.get('/events', (c) =>
  streamSSE(c, async (stream) => {
    open.add(stream);
    await stream.write(':ok\n\n');
    await new Promise<void>((gone) => stream.onAbort(gone));
    open.delete(stream);
  }),
);

app.post('/events', async (c) => {
  const { id, event } = toEvent(await c.req.json());
  const data = JSON.stringify(event);
  // Waiting for the writes holds publishers back when readers lag, so that nothing piles up without bound.
  await Promise.all(Array.from(open, (stream) => stream.writeSSE({ id, data })));
  return c.json({ id }, 201);
});

const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => announce(server as Server));
// Writers may pause for longer than Node's 5 s while thousands of streams are opened.
(server as Server).keepAliveTimeout = 65_000;
