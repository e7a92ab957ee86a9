/** What operators see of topics: `GET /v1/topics` and `GET /v1/topics/{topic}` (protocol section 8). */
import { Hono } from 'hono';
import { formatCursor } from '../../protocol/cursor.ts';
import { topicListQuerySchema, topicParamSchema } from '../../protocol/schemas.ts';
import type { TopicStatus } from '../../store/store.ts';
import { requireAdmin } from '../authenticate.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, Services } from '../services.ts';
import { validate } from '../validate.ts';

const DEFAULT_LIMIT = 100;

export function topicsRoute({ store, broker }: Services): Hono<Env> {
  const info = ({ topic, epoch, oldest, latest, bytes, updated }: TopicStatus) => ({
    topic,
    events: latest - oldest + 1,
    bytes,
    oldest: formatCursor({ epoch, seq: oldest - 1 }),
    latest: formatCursor({ epoch, seq: latest }),
    updated: new Date(updated).toISOString(),
    subscribers: broker.subscribers(topic),
  });
  return new Hono<Env>()
    .get('/topics', validate('query', topicListQuerySchema), async (c) => {
      requireAdmin(c.get('principal'));
      const { prefix, after, limit = DEFAULT_LIMIT } = c.req.valid('query');
      const found = await store.log.topics({ prefix, after, limit: limit + 1 });
      const topics = found.slice(0, limit).map(info);
      return c.json(found.length > limit ? { topics, next: topics.at(-1)?.topic } : { topics });
    })
    .get('/topics/:topic', validate('param', topicParamSchema), async (c) => {
      requireAdmin(c.get('principal'));
      const status = await store.log.topic(c.req.valid('param').topic);
      if (status === undefined) throw new ProblemError('not-found');
      return c.json(info(status));
    });
}
