/**
 * The shapes of requests and answers, as zod schemas: the edge validates with them, and the OpenAPI document is made from
 * them, so there is no second copy. Each says what the wire allows; what a deployment may tighten is in `limits.ts`.
 */
import { z } from 'zod';
import { parseCompoundCursor } from './cursor.ts';
import { MAX_FILTERS, parseFilter } from './filter.ts';
import { CONTROL, isKey, MAX_KEY } from './key.ts';
import { MAX_IDEMPOTENCY_KEY, MAX_WAIT_SECONDS } from './limits.ts';
import { PROBLEMS, type ProblemCode } from './problem.ts';
import { isTopic } from './topic.ts';

const TYPE = /^[^$\s,\p{Cc}\p{Cs}][^\s,\p{Cc}\p{Cs}]*$/u;

export const topicSchema = z
  .string()
  .refine(isTopic, 'a topic is 1 to 512 bytes without white space, control characters or *')
  .meta({
    id: 'Topic',
    description: 'An ordered log of events. 1 to 512 bytes of UTF-8, no control characters, no white space, no `*`.',
    examples: ['chat:lobby', 'host:metrics'],
  });

export const typeSchema = z
  .string()
  .max(128)
  .regex(TYPE, 'a type has no white space, comma or control character and does not begin with $')
  .meta({
    description: 'What kind of event this is. Does not begin with `$`; no white space, commas or control characters.',
  });

export const keySchema = z
  .string()
  .min(1)
  .max(MAX_KEY)
  .refine((key) => isKey(key), 'a key has no control characters')
  .meta({
    description: 'The thing that the event is about: used by conflation, compaction and webhook ordering.',
  });

export const cursorSchema = z
  .string()
  .max(32_768)
  .refine((text) => parseCompoundCursor(text) !== undefined, 'not a cursor')
  .meta({
    id: 'Cursor',
    description: 'A position, opaque to clients: keep what the server gave and give it back.',
    examples: ['k3f0q8s1zd-42'],
  });

const filterSchema = z
  .string()
  .refine((text) => parseFilter(text) !== undefined, 'a filter is <field>=<op>.<value>')
  .meta({
    description: '`<field>=<op>.<value>` with op one of eq neq gt gte lt lte in is; dotted paths into `data`.',
    examples: ['price=gte.10', 'state=in.(open,paid)'],
  });

/** One event as its publisher says it. Unknown members are refused, so that a typing mistake is not silently dropped. */
export const eventInputSchema = z
  .strictObject({
    type: typeSchema.optional(),
    // `unknown` accepts a missing member too, so its presence is asked for.
    data: z
      .unknown()
      .refine((data) => data !== undefined, 'data is required: any JSON value')
      .meta({ description: 'Any JSON value.' }),
    key: keySchema.optional(),
    version: z.int().min(0).max(2_147_483_647).optional(),
    ephemeral: z.boolean().optional(),
  })
  .meta({ id: 'EventInput' });

/** The body of a publish: one event, or several that are appended together or not at all. */
export const publishSchema = z.union([eventInputSchema, z.array(eventInputSchema).min(1)]).meta({ id: 'Publish' });

export const eventSchema = z
  .object({
    id: z.string().optional().meta({ description: "The topic's cursor at this event; absent on ephemeral events." }),
    topic: topicSchema,
    time: z.iso.datetime().meta({ description: 'Set by the server, UTC, milliseconds.' }),
    type: z.string(),
    data: z.unknown(),
    key: z.string().optional(),
    actor: z.string().optional(),
    mutation: z.string().optional(),
    version: z.int().optional(),
  })
  .meta({ id: 'Event' });

export const publishedSchema = z
  .object({
    events: z.array(eventSchema.omit({ data: true, actor: true, mutation: true, version: true })),
    cursor: cursorSchema
      .optional()
      .meta({ description: "The topic's cursor after these events. Absent when all were ephemeral." }),
  })
  .meta({ id: 'Published' });

export const gapSchema = z
  .object({
    topic: topicSchema,
    requested: z.string(),
    oldest: cursorSchema,
    latest: cursorSchema,
    reason: z.enum(['expired', 'unknown-epoch', 'ahead', 'lagged']),
  })
  .meta({
    id: 'Gap',
    description: 'History between `requested` and `oldest` cannot be delivered: fetch the state again.',
  });

export const pageSchema = z
  .object({
    events: z.array(eventSchema),
    cursor: cursorSchema.meta({ description: 'Where to go on from.' }),
    more: z.boolean().meta({ description: 'Whether another page is there already.' }),
    gap: gapSchema.optional(),
  })
  .meta({ id: 'Page' });

export const FORMATS = ['sse', 'ndjson', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** A whole number in a query, which comes as text. */
export const integer = (low: number, high: number) =>
  z
    .string()
    .regex(/^[0-9]{1,9}$/, 'a whole number')
    .transform(Number)
    .pipe(z.int().min(low).max(high));
const one = z.enum(['0', '1']).transform((value) => value === '1');
const list = z
  .string()
  .max(4096)
  .transform((text) => text.split(','))
  .pipe(z.array(typeSchema).min(1).max(50));
const many = <Item extends z.ZodType>(item: Item, most: number) =>
  z.union([item.transform((value) => [value]), z.array(item).max(most)]);

/** A place to start: a cursor, or one of the two ends. */
export const afterSchema = z.union([z.enum(['earliest', 'latest']), cursorSchema]);

/** The query of a read. All values come as text. */
export const readQuerySchema = z.object({
  format: z.enum(FORMATS).optional().meta({ description: 'Overrides `Accept`.' }),
  lastEventId: z.union([z.literal(''), cursorSchema]).optional(),
  after: afterSchema.optional(),
  since: z.iso.datetime({ offset: true }).optional().meta({ description: 'Events at or after this time.' }),
  last: integer(0, 100_000).optional().meta({ description: 'The newest n events, then live.' }),
  limit: integer(1, 1000).optional().meta({ description: 'Page size.' }),
  wait: integer(0, MAX_WAIT_SECONDS)
    .optional()
    .meta({ description: 'Long poll: answer when something comes, or empty after so many seconds.' }),
  types: list.optional().meta({ description: 'Only these types, separated by commas.' }),
  filter: many(filterSchema, MAX_FILTERS).optional(),
  conflate: integer(10, 3_600_000)
    .optional()
    .meta({ description: 'At most one event per key in so many milliseconds.' }),
  named: one.optional().meta({ description: 'SSE: the event field carries the type.' }),
  presence: one.optional().meta({ description: 'Streams: also tell who is at the topics, by `$presence`.' }),
  ticket: z.string().max(4096).optional().meta({ description: 'A ticket from POST /v1/tickets.' }),
});
export type ReadQuery = z.infer<typeof readQuerySchema>;

export const topicsQuerySchema = z.object({ topic: many(topicSchema, 100_000) });

export const topicParamSchema = z.object({ topic: topicSchema });

export const streamParamSchema = z.object({ stream: z.string().min(1).max(128) });

/** One topic of a stream that is opened with a body. */
export const streamTopicSchema = z
  .strictObject({
    topic: topicSchema,
    after: afterSchema.optional(),
    last: z.int().min(0).max(100_000).optional(),
    since: z.iso.datetime({ offset: true }).optional(),
    filter: many(filterSchema, MAX_FILTERS).optional(),
    types: z.array(typeSchema).min(1).max(50).optional(),
    conflate: z.int().min(10).max(3_600_000).optional(),
    presence: z.boolean().optional(),
  })
  .meta({ id: 'StreamTopic' });
export type StreamTopic = z.infer<typeof streamTopicSchema>;

export const streamOpenSchema = z
  .strictObject({
    topics: z.array(streamTopicSchema).min(1),
    format: z.enum(FORMATS).optional(),
    named: z.boolean().optional(),
    limit: z.int().min(1).max(1000).optional().meta({ description: 'Pages only: their size.' }),
    wait: z
      .int()
      .min(0)
      .max(MAX_WAIT_SECONDS)
      .optional()
      .meta({ description: 'Pages only: the long poll, in seconds.' }),
  })
  .meta({ id: 'StreamOpen' });

export const streamPatchSchema = z
  .strictObject({
    add: z.array(streamTopicSchema).optional(),
    remove: z.array(topicSchema).optional(),
  })
  .refine((patch) => (patch.add?.length ?? 0) + (patch.remove?.length ?? 0) > 0, 'add or remove at least one topic')
  .meta({ id: 'StreamPatch' });

export const streamTopicsSchema = z
  .object({ stream: z.string(), topics: z.array(topicSchema) })
  .meta({ id: 'StreamTopics' });

export const ticketRequestSchema = z
  .strictObject({
    topics: z.array(topicSchema).min(1),
    ttl: z
      .int()
      .min(1)
      .max(86_400)
      .optional()
      .meta({ description: "Seconds; 3600 unless told. Never beyond the token's own end." }),
    presence: z.boolean().optional().meta({ description: 'Whether it also shows who is at the topics.' }),
  })
  .meta({ id: 'TicketRequest' });

export const ticketSchema = z
  .object({
    ticket: z.string(),
    id: z.string().meta({ description: 'Names the ticket in a revocation, as `jti`.' }),
    topics: z.array(topicSchema),
    expires: z.iso.datetime(),
  })
  .meta({ id: 'Ticket' });

export const nameSchema = z
  .string()
  .min(1)
  .max(512)
  .refine((text) => !CONTROL.test(text), 'no control characters');

export const revocationSchema = z
  .union([z.strictObject({ sub: nameSchema }), z.strictObject({ jti: nameSchema })])
  .meta({
    id: 'Revocation',
    description: '`sub` revokes every token of the subject issued until now; `jti` one token or ticket.',
  });

export const idempotencyKeySchema = z
  .string()
  .min(1)
  .max(MAX_IDEMPOTENCY_KEY)
  .regex(/^[\x20-\x7e]+$/, 'printable ASCII');

export const topicInfoSchema = z
  .object({
    topic: topicSchema,
    events: z
      .int()
      .meta({ description: 'How many events are retained (an upper bound where the topic is compacted).' }),
    bytes: z.int().meta({ description: 'Their size in the log.' }),
    oldest: cursorSchema,
    latest: cursorSchema,
    updated: z.iso.datetime().nullable(),
    subscribers: z.int().meta({ description: 'Subscriptions on the answering node.' }),
  })
  .meta({ id: 'TopicInfo' });

export const topicListSchema = z
  .object({
    topics: z.array(topicInfoSchema),
    next: z.string().optional().meta({ description: 'Give it back as `after` for the next page.' }),
  })
  .meta({ id: 'TopicList' });

export const topicListQuerySchema = z.object({
  prefix: z
    .string()
    .max(512)
    .refine((text) => !CONTROL.test(text), 'no control characters')
    .optional(),
  after: z
    .string()
    .max(512)
    .refine((text) => !CONTROL.test(text), 'no control characters')
    .optional(),
  limit: integer(1, 1000).optional(),
});

export const streamInfoSchema = z
  .object({
    stream: z.string(),
    node: z.string(),
    format: z.enum(['sse', 'ndjson', 'json']),
    topics: z.array(topicSchema),
    sub: z.string().nullable(),
    address: z.string().nullable(),
    since: z.iso.datetime(),
    expires: z.iso.datetime().nullable(),
  })
  .meta({ id: 'StreamInfo' });

export const streamListSchema = z.object({ streams: z.array(streamInfoSchema) }).meta({ id: 'StreamList' });

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string().optional(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' });
