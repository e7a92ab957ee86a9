/** Opening a stream: the bytes begin at once, history is looked up afterwards (protocol section 2). */
import type { ServerResponse } from 'node:http';
import type { SubscribeRequest } from '../broker/broker.ts';
import type { EventStream } from '../delivery/event-stream.ts';
import { canTakeOver, createNodeSink } from '../delivery/node-sink.ts';
import { representationOf, type StreamFormat } from '../delivery/representation.ts';
import type { Sink } from '../delivery/sink.ts';
import { createWebSink } from '../delivery/web-sink.ts';
import { ViewTooLarge } from '../records/view-too-large.ts';
import { StoreUnavailable } from '../store/store.ts';
import { ProblemError, problemResponse } from './problem-error.ts';
import type { RequestContext, Services } from './services.ts';

/** How long to wait before looking for history again while the log cannot be reached, in ms. */
const RETRY_MS = 500;

/** Tells @hono/node-server that the response was written to the connection already. */
const ALREADY_SENT = { 'x-hono-already-sent': 'true' };

/** @param watched those of the topics of whose members the stream is told */
export function openStream(
  c: RequestContext,
  services: Services,
  format: StreamFormat,
  requests: readonly SubscribeRequest[],
  watched: readonly string[],
): Response {
  const { streams, callers, draining } = services;
  const { contentType } = representationOf(format, 'none');
  c.header('Content-Type', contentType);
  c.header('Cache-Control', 'no-cache, no-transform');
  // nginx buffers answers unless told not to; others follow it in this.
  c.header('X-Accel-Buffering', 'no');
  c.header('Vary', 'Accept', { append: true });
  if (c.req.method === 'HEAD') return c.body(null);
  if (draining()) return problemResponse(c, 'draining');

  const principal = c.get('principal');
  const address = c.get('address');
  const held = callers.stream(principal, address);
  if (held === undefined) throw tooManyStreams();
  const open = (sink: Sink) => {
    const topics = requests.map(({ topic }) => topic);
    const reader = { principal, address, request: c.get('requestId'), released: held.release };
    const stream = streams.open({ format, sink }, reader, topics);
    watchMembers(stream, services, watched);
    void attach(stream, services, requests);
  };

  const outgoing = c.env?.outgoing;
  if (isServerResponse(outgoing) && canTakeOver(outgoing)) {
    // The head is written when the middleware around this has had its say on the headers.
    setTimeout(() => {
      const sink = createNodeSink(outgoing, withoutMark(c.res.headers));
      if (sink === undefined) held.release();
      else open(sink);
    }, 0);
    const response = c.body(null, 200, ALREADY_SENT);
    // @hono/node-server looks for the mark only on a whole Response, and makes one when somebody asks for the body.
    void response.body;
    return response;
  }
  const { sink, body } = createWebSink(c.req.raw.signal);
  open(sink);
  return c.body(body);
}

/** Has a stream told who is at topics. */
export function watchMembers(
  stream: EventStream,
  { presence }: Pick<Services, 'presence'>,
  topics: readonly string[],
): void {
  if (presence !== undefined) stream.watch(topics.map((topic) => presence.watch(topic)));
}

export function tooManyStreams(): ProblemError {
  return new ProblemError('too-many-streams', { headers: { 'Retry-After': '5' } });
}

/** Looks up where the reader stands, for as long as it takes: the stream is open, and the log may be away. */
async function attach(
  stream: EventStream,
  { subscriptions, streams, collections, log }: Services,
  requests: readonly SubscribeRequest[],
): Promise<void> {
  while (!stream.ended) {
    try {
      streams.remember(stream.id, requests);
      const principal = streams.get(stream.id)?.principal;
      if (principal === undefined) return;
      const found = await subscriptions.subscribe(principal, requests);
      // The stream may have come under another token meanwhile, and what was found is what the old one sees.
      const now = streams.get(stream.id)?.principal ?? principal;
      if (
        now !== principal &&
        requests.some(({ topic }) => collections?.seesOtherwise(topic, principal, now) === true)
      ) {
        for (const subscription of found) subscription.close();
        continue;
      }
      stream.attach(found);
      return;
    } catch (error) {
      if (error instanceof ViewTooLarge || error instanceof ProblemError) {
        log.warn({ error, stream: stream.id }, 'a stream cannot be served');
        stream.close('limit');
        return;
      }
      if (!(error instanceof StoreUnavailable)) log.error({ error, stream: stream.id }, 'a stream cannot begin yet');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function* withoutMark(headers: Headers): Iterable<readonly [string, string]> {
  for (const [name, value] of headers) if (!(name in ALREADY_SENT)) yield [name, value];
}

function isServerResponse(value: unknown): value is ServerResponse {
  return typeof value === 'object' && value !== null && 'socket' in value && 'flushHeaders' in value && 'req' in value;
}
