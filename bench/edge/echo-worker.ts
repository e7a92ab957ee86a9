/**
 * The least that a Durable Object can do: what is published is sent to every socket. No log, no cursor, no rights. As Sluice has it, the Worker
 * holds the readers' streams, each joined to the object by a hibernatable WebSocket.
 */
import { DurableObject } from 'cloudflare:workers';
import { type ObjectNamespace, socketPair, upgrade, type WorkerSocket } from '../../src/cloudflare/platform.ts';

interface EchoMethods {
  publish(body: string): Promise<number>;
}

interface EchoBindings {
  readonly ECHO: ObjectNamespace<EchoMethods>;
}

export class Echo extends DurableObject implements EchoMethods {
  #count = 0;

  async fetch(): Promise<Response> {
    const [client, server] = socketPair();
    this.ctx.acceptWebSocket(server);
    return upgrade(client);
  }

  async publish(body: string): Promise<number> {
    this.#count += 1;
    const { data } = JSON.parse(body);
    const block = `id: ${this.#count}\ndata: ${JSON.stringify({ id: `${this.#count}`, topic: 'echo', time: new Date().toISOString(), type: 'message', data })}\n\n`;
    for (const socket of this.ctx.getWebSockets()) socket.send(block);
    return this.#count;
  }

  webSocketMessage(): void {}

  webSocketClose(socket: WorkerSocket): void {
    socket.close();
  }
}

export default {
  async fetch(request: Request, { ECHO }: EchoBindings): Promise<Response> {
    const object = ECHO.get(ECHO.idFromName('echo'));
    if (request.method === 'POST') {
      const id = await object.publish(await request.text());
      return Response.json({ id }, { status: 201 });
    }
    if (!new URL(request.url).pathname.endsWith('/events')) return new Response('ok');
    const { webSocket } = await object.fetch('https://echo/', { headers: { Upgrade: 'websocket' } });
    if (!webSocket) return new Response(null, { status: 503 });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const encoder = new TextEncoder();
    webSocket.addEventListener('message', ({ data }) => void writer.write(encoder.encode(String(data))));
    webSocket.accept();
    void writer.write(encoder.encode(':ok\n\n'));
    return new Response(readable, { headers: { 'Content-Type': 'text/event-stream' } });
  },
};
