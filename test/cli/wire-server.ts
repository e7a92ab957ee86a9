/** A small server that speaks enough of the protocol for the commands, and fails in every way a test asks for. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { epochOf } from '../../src/protocol/cursor.ts';

interface StoredEvent {
  readonly id: string;
  readonly topic: string;
  readonly time: string;
  readonly type: string;
  readonly data: any;
  readonly key?: string;
}

/** What a test wants done with a publish instead of the ordinary. */
export type Fault =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  /** The connection is cut, before or after the events were appended. */
  | 'cut-before'
  | 'cut-after';

export interface WireServer {
  readonly url: string;
  readonly port: number;
  readonly log: Map<string, StoredEvent[]>;
  /** Requests that came, in order. */
  readonly requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];
  /** Asked for each publish; `undefined` lets it through. */
  fault: ((attempt: number) => Fault | undefined) | undefined;
  /** Asked for each read; a status refuses it. */
  refuse:
    | (() => { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> } | undefined)
    | undefined;
  heartbeat: number;
  readonly streams: Set<ServerResponse>;
  publish(topic: string, data: unknown, extra?: object): StoredEvent;
  /** Writes text to every stream as it stands. */
  raw(text: string): void;
  close(): Promise<void>;
}

export async function startWireServer(): Promise<WireServer> {
  const log = new Map<string, StoredEvent[]>();
  const keys = new Map<string, { body: string; answer: string }>();
  const subscribers = new Set<{ response: ServerResponse; topics: readonly string[]; seen: Map<string, number> }>();
  const requests: WireServer['requests'] = [];
  const streams = new Set<ServerResponse>();
  let attempts = 0;

  const epoch = (topic: string) => epochOf('wire', 0, topic);
  const eventsOf = (topic: string) => log.get(topic) ?? log.set(topic, []).get(topic)!;
  const append = (topic: string, input: { type?: string; data: unknown; key?: string }): StoredEvent => {
    const events = eventsOf(topic);
    const event = {
      id: `${epoch(topic)}-${events.length + 1}`,
      topic,
      time: new Date().toISOString(),
      type: input.type ?? 'message',
      data: input.data,
      ...(input.key !== undefined && { key: input.key }),
    };
    events.push(event);
    return event;
  };
  const cursorOf = (seen: Map<string, number>) => [...seen].map(([topic, seq]) => `${epoch(topic)}-${seq}`).join('.');
  const flush = () => {
    for (const { response, topics, seen } of subscribers)
      for (const topic of topics)
        for (const event of eventsOf(topic).slice(seen.get(topic))) {
          seen.set(topic, seen.get(topic)! + 1);
          response.write(`id: ${cursorOf(seen)}\ndata: ${JSON.stringify(event)}\n\n`);
        }
  };
  const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) => {
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    response.writeHead(status, { 'Content-Type': type, ...headers }).end(JSON.stringify(body));
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => response.destroy());
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      requests.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      const url = new URL(request.url!, 'http://server');
      const topic = decodeURIComponent(/^\/v1\/topics\/([^/]+)\/events$/.exec(url.pathname)?.[1] ?? '');
      if (request.method === 'POST' && topic !== '') {
        publish(request, response, topic, body);
        return;
      }
      if (url.pathname === '/v1/topics') {
        list(url, response);
        return;
      }
      const refusal = self.refuse?.();
      if (refusal !== undefined) json(response, refusal.status, refusal.body, refusal.headers);
      else read(request, response, topic === '' ? url.searchParams.getAll('topic') : [topic], url.searchParams);
    });
  });

  function publish(request: IncomingMessage, response: ServerResponse, topic: string, body: string): void {
    attempts += 1;
    const fault = self.fault?.(attempts);
    const key = String(request.headers['idempotency-key']);
    const known = keys.get(key);
    if (fault === 'cut-before') request.socket.destroy();
    else if (fault !== undefined && fault !== 'cut-after')
      json(response, fault.status, fault.body ?? {}, fault.headers);
    else if (known !== undefined && known.body !== body) json(response, 422, { title: 'Another request', status: 422 });
    else {
      const answer = known?.answer ?? appendAll(topic, body);
      keys.set(key, { body, answer });
      flush();
      if (fault === 'cut-after') request.socket.destroy();
      else response.writeHead(201, { 'Content-Type': 'application/json' }).end(answer);
    }
  }

  function appendAll(topic: string, body: string): string {
    const inputs = body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    if (inputs[0].ephemeral === true)
      return JSON.stringify({ events: inputs.map(() => ({ topic, time: new Date().toISOString(), type: 'message' })) });
    const events = inputs.map((input) => append(topic, input));
    return JSON.stringify({ events: events.map(({ data: _, ...rest }) => rest), cursor: events.at(-1)?.id });
  }

  function list(url: URL, response: ServerResponse): void {
    const limit = Math.min(2, Number(url.searchParams.get('limit')));
    const names = [...log.keys()].sort().filter((name) => name > (url.searchParams.get('after') ?? ''));
    const topics = names.slice(0, limit).map((topic) => ({
      topic,
      events: eventsOf(topic).length,
      bytes: 2048,
      oldest: `${epoch(topic)}-0`,
      latest: `${epoch(topic)}-${eventsOf(topic).length}`,
      updated: null,
      subscribers: 0,
    }));
    json(response, 200, { topics, ...(names.length > limit && { next: names[limit - 1] }) });
  }

  function read(
    request: IncomingMessage,
    response: ServerResponse,
    topics: readonly string[],
    query: URLSearchParams,
  ): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const from = request.headers['last-event-id'] ?? query.get('after') ?? undefined;
    const seen = new Map<string, number>();
    for (const topic of topics) {
      const length = eventsOf(topic).length;
      const part =
        from === undefined
          ? undefined
          : String(from)
              .split('.')
              .find((each) => each.startsWith(epoch(topic)));
      if (part !== undefined) seen.set(topic, Number(part.split('-')[1]));
      else if (query.get('after') === 'earliest') seen.set(topic, 0);
      else seen.set(topic, Math.max(0, length - Number(query.get('last') ?? 0)));
    }
    response.write(`event: $open\ndata: ${JSON.stringify({ stream: 's', heartbeat: self.heartbeat, topics })}\n\n`);
    const subscriber = { response, topics, seen };
    subscribers.add(subscriber);
    streams.add(response);
    const gone = () => {
      subscribers.delete(subscriber);
      streams.delete(response);
    };
    response.on('close', gone).on('error', gone);
    flush();
    response.write(`event: $ready\nid: ${cursorOf(seen)}\ndata: ${JSON.stringify({ cursor: cursorOf(seen) })}\n\n`);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const self: WireServer = {
    url: `http://127.0.0.1:${port}`,
    port,
    log,
    requests,
    fault: undefined,
    refuse: undefined,
    heartbeat: 25,
    streams,
    publish(topic, data, extra = {}) {
      const event = append(topic, { data, ...extra });
      flush();
      return event;
    },
    raw(text) {
      for (const stream of streams) stream.write(text);
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return self;
}
