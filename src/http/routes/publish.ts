/** `POST /v1/topics/{topic}/events`: appending events (protocol section 3). */
import { Hono } from 'hono';
import type { Principal } from '../../auth/principal.ts';
import { formatCursor } from '../../protocol/cursor.ts';
import { DEFAULT_TYPE, type EventInput } from '../../protocol/event.ts';
import type { Limits } from '../../protocol/limits.ts';
import { createLineSplitter } from '../../protocol/ndjson.ts';
import { idempotencyKeySchema, topicParamSchema } from '../../protocol/schemas.ts';
import { requireRight } from '../authenticate.ts';
import { mediaType, readBytes, readJson, readText } from '../body.ts';
import { readEventInputs, tooMany } from '../event-inputs.ts';
import { ProblemError } from '../problem-error.ts';
import type { Env, RequestContext, Services } from '../services.ts';
import { invalid, validate } from '../validate.ts';

export function publishRoute(services: Services): Hono<Env> {
  const { broker, limits, callers } = services;
  return new Hono<Env>().post('/topics/:topic/events', validate('param', topicParamSchema), async (c) => {
    const { topic } = c.req.valid('param');
    const principal = c.get('principal');
    requireRight(services, principal, 'publish', [topic]);
    if (services.collections?.has(topic)) throw new ProblemError('forbidden', { detail: COLLECTION });
    const verdict = callers.write(principal, c.get('address'));
    if (!verdict.ok) throw rateLimited(verdict.retryAfterMs);
    const key = idempotencyKey(c);
    const bytes = await readBytes(c, limits.requestBytes);
    const events = readEvents(mediaType(c), bytes, limits);
    const actor = principal.sub;

    if (events[0]?.ephemeral) {
      const time = new Date(broker.publishEphemeral(topic, events, { actor, mutation: key })).toISOString();
      return c.json({ events: events.map((event) => ({ topic, ...summary(event, time) })) }, 202);
    }

    const idempotency =
      key === undefined
        ? undefined
        : { scope: scopeOf(principal), key, digest: await digest(topic, mediaType(c), bytes) };
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

function idempotencyKey(c: RequestContext): string | undefined {
  const header = c.req.header('Idempotency-Key');
  if (header === undefined) return undefined;
  const key = idempotencyKeySchema.safeParse(header);
  if (!key.success)
    throw new ProblemError('invalid', {
      errors: [{ path: 'Idempotency-Key', message: '1 to 200 printable ASCII characters' }],
    });
  return key.data;
}

/** Whose key it is. A `sub` is quoted, so that no name can look like another kind of caller. */
function scopeOf({ sub, kind }: Principal): string {
  return sub === undefined ? kind : `sub:${JSON.stringify(sub)}`;
}

/** What must be equal for a repeated write to be the same: where it goes and every byte of it. */
async function digest(topic: string, type: string, bytes: Uint8Array): Promise<string> {
  const head = new TextEncoder().encode(`${topic}\n${type}\n`);
  const all = new Uint8Array(head.byteLength + bytes.byteLength);
  all.set(head);
  all.set(bytes, head.byteLength);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return btoa(String.fromCharCode(...hash));
}

function readEvents(type: string, bytes: Uint8Array, limits: Limits): readonly EventInput[] {
  const inputs = readEventInputs(readBody(type, readText(bytes), limits), limits, bytes.byteLength);
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

function rateLimited(retryAfterMs: number): ProblemError {
  const seconds = Math.ceil(retryAfterMs / 1000);
  return new ProblemError('rate-limited', {
    headers: { 'Retry-After': String(seconds), RateLimit: `"writes";r=0;t=${seconds}` },
  });
}
