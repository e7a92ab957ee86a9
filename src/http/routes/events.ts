/** Reading: `GET /v1/topics/{topic}/events` and `GET /v1/events` (protocol section 2). */
import { Hono } from 'hono';
import type { SubscribeRequest } from '../../broker/broker.ts';
import {
  type Format,
  type ReadQuery,
  readQuerySchema,
  topicParamSchema,
  topicsQuerySchema,
} from '../../protocol/schemas.ts';
import { answerPage } from '../answer-page.ts';
import { requireRight, requireWatch } from '../authenticate.ts';
import { negotiate } from '../negotiate.ts';
import { openStream } from '../open-stream.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, RequestContext, Services } from '../services.ts';
import { subscribeRequests } from '../starting-point.ts';
import { validate } from '../validate.ts';

/** Events of a page whose reader names no limit. */
const DEFAULT_PAGE = 100;

export function eventsRoute(services: Services): Hono<Env> {
  return new Hono<Env>()
    .get('/topics/:topic/events', validate('param', topicParamSchema), validate('query', readQuerySchema), (c) =>
      read(c, services, [c.req.valid('param').topic], c.req.valid('query')),
    )
    .get('/events', validate('query', readQuerySchema.extend(topicsQuerySchema.shape)), (c) => {
      const { topic, ...query } = c.req.valid('query');
      const topics = [...new Set(topic)];
      if (topics.length > services.limits.topicsPerStream) throw tooManyTopics(services);
      return read(c, services, topics, query);
    });
}

export function notAcceptable(): ProblemError {
  return new ProblemError('not-acceptable', {
    detail: 'There are text/event-stream, application/x-ndjson and application/json.',
  });
}

export function tooManyTopics({ limits }: Services): ProblemError {
  return new ProblemError('too-many-topics', { detail: `A stream has at most ${limits.topicsPerStream} topics.` });
}

async function read(
  c: RequestContext,
  services: Services,
  topics: readonly string[],
  query: ReadQuery,
): Promise<Response> {
  requireRight(services, c.get('principal'), 'subscribe', topics);
  const format = query.format ?? negotiate(c.req.header('Accept'));
  if (format === undefined) throw notAcceptable();
  const requests = subscribeRequests(topics, query, c.req.header('Last-Event-ID'), fallbackOf(format, query.wait));
  await services.subscriptions.check(requests);
  // A page tells of no members.
  const watched = query.presence && format !== 'json' ? topics : [];
  requireWatch(services, c.get('principal'), watched);
  return answerReading(c, services, requests, { ...query, format, watched });
}

/** Where a reader begins who does not say: a page is of what there is, unless it waits for what comes. */
export function fallbackOf(format: Format, wait = 0): 'earliest' | 'latest' {
  return format === 'json' && wait === 0 ? 'earliest' : 'latest';
}

/** Answers with a page or a stream. */
export function answerReading(
  c: RequestContext,
  services: Services,
  requests: readonly SubscribeRequest[],
  {
    format,
    named,
    limit = DEFAULT_PAGE,
    wait = 0,
    watched,
  }: Pick<ReadQuery, 'named' | 'limit' | 'wait'> & { readonly format: Format; readonly watched: readonly string[] },
): Response | Promise<Response> {
  if (format === 'json')
    return answerPage(c, services, requests, { limit: Math.min(limit, services.limits.pageEvents), waitSeconds: wait });
  return openStream(c, services, format === 'sse' && named ? 'sse-named' : format, requests, watched);
}
