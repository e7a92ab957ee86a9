/** `POST /v1/topics/{topic}/events`: appending events (protocol section 3). */
import { Hono } from 'hono';
import { formatCursor } from '../../protocol/cursor.ts';
import { DEFAULT_TYPE, type EventInput } from '../../protocol/event.ts';
import type { Limits } from '../../protocol/limits.ts';
import { createLineSplitter } from '../../protocol/ndjson.ts';
import { topicParamSchema } from '../../protocol/schemas.ts';
import { requireRight } from '../authenticate.ts';
import { mediaType, readBytes, readJson, readText } from '../body.ts';
import type { EventTypes } from '../event-definitions.ts';
import { readEventInputs, tooMany } from '../event-inputs.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, Services } from '../services.ts';
import { invalid, validate } from '../validate.ts';
import { digestOf, idempotencyKey, keyOwner, requireRate } from '../write-request.ts';

export function publishRoute(services: Services): Hono<Env> {
  const { broker, limits, callers, eventTypes } = services;
  return new Hono<Env>().post('/topics/:topic/events', validate('param', topicParamSchema), async (c) => {
    const { topic } = c.req.valid('param');
    const principal = c.get('principal');
    requireRight(services, principal, 'publish', [topic]);
    if (services.collections?.has(topic)) throw new ProblemError('forbidden', { detail: COLLECTION });
    await requireRate(callers.write(principal, c.get('address')));
    const key = idempotencyKey(c);
    const bytes = await readBytes(c, limits.requestBytes);
    const events = readEvents(mediaType(c), bytes, limits, eventTypes(topic));
    const actor = principal.sub;

    if (events[0]?.ephemeral) {
      const time = new Date(broker.publishEphemeral(topic, events, { actor, mutation: key })).toISOString();
      return c.json({ events: events.map((event) => ({ topic, ...summary(event, time) })) }, 202);
    }

    const idempotency =
      key === undefined
        ? undefined
        : { scope: await keyOwner(principal), key, digest: await digestOf([topic, mediaType(c)], bytes) };
    const appended = await broker.publish(topic, events, { actor, mutation: key, idempotency });
    if (appended.kind === 'mismatch') throw new ProblemError('idempotency-mismatch');
    const { epoch, first } = appended;
    const time = new Date(appended.time).toISOString();
    const published = {
      events: events.map((event, index) => ({
        id: formatCursor({ epoch, seq: first + index }),
        topic,
        ...summary(event, time),
      })),
      cursor: formatCursor({ epoch, seq: first + events.length - 1 }),
    };
    // Headers as a plain object: Hono and its Node server pass them on as they are, without building a `Headers`.
    return c.body(JSON.stringify(published), 201, appended.kind === 'replayed' ? REPLAYED : JSON_TYPE);
  });
}

const COLLECTION = 'The topic is a collection: its events are the changes of its records.';
const JSON_TYPE = { 'Content-Type': 'application/json' };
const REPLAYED = { ...JSON_TYPE, 'Idempotent-Replayed': 'true' };

function summary({ type = DEFAULT_TYPE, key }: EventInput, time: string) {
  return key === undefined ? { type, time } : { type, time, key };
}

function readEvents(
  type: string,
  bytes: Uint8Array,
  limits: Limits,
  types: EventTypes | undefined,
): readonly EventInput[] {
  const inputs = readEventInputs(readBody(type, readText(bytes), limits), limits, types, bytes.byteLength);
  if (!inputs.ok)
    throw inputs.reason === 'size' ? new ProblemError('too-large', { detail: inputs.detail }) : invalid(inputs.issues);
  const { events } = inputs;
  const ephemeral = events.filter((event) => event.ephemeral).length;
  if (ephemeral > 0 && ephemeral < events.length) {
    throw new ProblemError('invalid', { detail: 'Ephemeral and durable events cannot be published together.' });
  }
  return events;
}

function readBody(type: string, text: string, { eventsPerPublish }: Limits): unknown {
  if (type === 'application/json') return readJson(text);
  if (type !== 'application/x-ndjson') {
    throw new ProblemError('unsupported-media-type', { detail: 'Send application/json or application/x-ndjson.' });
  }
  const values: unknown[] = [];
  const lines = createLineSplitter((line) => {
    if (values.length >= eventsPerPublish)
      throw new ProblemError('too-large', { detail: tooMany(eventsPerPublish).detail });
    values.push(readJson(line));
  });
  // A line is never longer than the request, which is within its bound already.
  for (let start = 0; start < text.length; start += 65_536) lines.push(text.slice(start, start + 65_536));
  lines.end();
  return values;
}
