/** Streams as resources: opened with a body, changed, renewed, listed and ended (protocol sections 2 and 8). */
import { Hono } from 'hono';
import { type StreamTopic, streamOpenSchema, streamParamSchema, streamPatchSchema } from '../../protocol/schemas.ts';
import { type PlaceOf, requireAdmin, requireRight, requireWatch } from '../authenticate.ts';
import { jsonBody } from '../body.ts';
import { negotiate } from '../negotiate.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, RequestContext, Services } from '../services.ts';
import { subscribeRequest } from '../starting-point.ts';
import type { ControlOutcome } from '../stream-control.ts';
import { validate } from '../validate.ts';
import { answerReading, fallbackOf, notAcceptable, tooManyTopics } from './events.ts';

export function streamsRoute(services: Services): Hono<Env> {
  const { limits, streamControl } = services;
  const body = jsonBody(limits.requestBytes);
  const changed = (c: RequestContext, outcome: ControlOutcome, stream: string): Response => {
    if (outcome.kind === 'done') return c.json({ stream, topics: outcome.topics });
    if (outcome.kind === 'too-many-topics') throw tooManyTopics(services);
    // Somebody else's stream: without a token it may yet be the caller's own.
    if (outcome.kind === 'forbidden' && c.get('principal').kind === 'anonymous')
      throw new ProblemError('token-required');
    throw new ProblemError(outcome.kind);
  };
  return new Hono<Env>()
    .post('/streams', body, validate('json', streamOpenSchema), async (c) => {
      const { topics, format = negotiate(c.req.header('Accept')), ...rest } = c.req.valid('json');
      const unique = new Map(topics.map((topic) => [topic.topic, topic]));
      if (unique.size > limits.topicsPerStream) throw tooManyTopics(services);
      requireRight(services, c.get('principal'), 'subscribe', [...unique.keys()], placeIn('topics', topics));
      if (format === undefined) throw notAcceptable();
      // A page tells of no members.
      const watched = format === 'json' ? [] : watchedOf([...unique.values()]);
      requireWatch(services, c.get('principal'), watched, placeIn('topics', topics));
      const requests = [...unique.values()].map((topic) => subscribeRequest(topic, fallbackOf(format, rest.wait)));
      await services.subscriptions.check(requests, placeIn('topics', topics));
      return answerReading(c, services, requests, { ...rest, format, watched });
    })
    .patch(
      '/streams/:stream',
      validate('param', streamParamSchema),
      body,
      validate('json', streamPatchSchema),
      async (c) => {
        const { stream } = c.req.valid('param');
        const { add = [], remove = [] } = c.req.valid('json');
        const principal = c.get('principal');
        if (add.length > limits.topicsPerStream) throw tooManyTopics(services);
        requireRight(
          services,
          principal,
          'subscribe',
          add.map(({ topic }) => topic),
          placeIn('add', add),
        );
        requireWatch(services, principal, watchedOf(add), placeIn('add', add));
        await services.subscriptions.check(
          add.map((topic) => subscribeRequest(topic)),
          placeIn('add', add),
        );
        return changed(c, await streamControl.change(stream, principal, add, remove), stream);
      },
    )
    .put('/streams/:stream/token', validate('param', streamParamSchema), async (c) => {
      const { stream } = c.req.valid('param');
      const principal = c.get('principal');
      if (principal.kind !== 'token') throw new ProblemError('token-required');
      return changed(c, await streamControl.renew(stream, principal), stream);
    })
    .get('/streams', async (c) => {
      requireAdmin(c.get('principal'));
      return c.json({ streams: await streamControl.list() });
    })
    .delete('/streams/:stream', validate('param', streamParamSchema), async (c) => {
      requireAdmin(c.get('principal'));
      const outcome = await streamControl.end(c.req.valid('param').stream);
      if (outcome.kind !== 'done') throw new ProblemError(outcome.kind);
      return c.body(null, 204);
    });
}

function watchedOf(topics: readonly StreamTopic[]): readonly string[] {
  return topics.filter(({ presence }) => presence === true).map(({ topic }) => topic);
}

/** Where in the body a topic stands, for problems to name. */
function placeIn(member: string, topics: readonly StreamTopic[]): PlaceOf {
  return (topic) => `${member}.${topics.findIndex((each) => each.topic === topic)}`;
}
