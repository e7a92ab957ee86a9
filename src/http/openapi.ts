/** The OpenAPI 3.1 document, made of the same schemas that validate requests. */
import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';
import { accessListQuerySchema, accessListSchema } from '../protocol/access-schemas.ts';
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from '../protocol/problem.ts';
import {
  eventInputSchema,
  idempotencyKeySchema,
  pageSchema,
  problemSchema,
  publishedSchema,
  publishSchema,
  readQuerySchema,
  revocationSchema,
  streamListSchema,
  streamOpenSchema,
  streamParamSchema,
  streamPatchSchema,
  streamTopicsSchema,
  ticketRequestSchema,
  ticketSchema,
  topicInfoSchema,
  topicListQuerySchema,
  topicListSchema,
  topicParamSchema,
  topicsQuerySchema,
} from '../protocol/schemas.ts';
import { collectionOperations } from './collection-operations.ts';
import { CREDENTIAL_PROBLEMS } from './credential-problems.ts';
import { presenceOperations } from './presence-operations.ts';

type Content = NonNullable<ZodOpenApiOperationObject['requestBody']>['content'];
type Responses = ZodOpenApiOperationObject['responses'];

const json = (schema: z.ZodType): Content => ({ 'application/json': { schema } });
const body = (schema: z.ZodType) => ({ required: true, content: json(schema) });

const streams: Content = {
  'text/event-stream': {
    schema: z.string().meta({ description: 'Server-Sent Events; see docs/protocol.md, section 2.' }),
  },
  'application/x-ndjson': { schema: z.string().meta({ description: 'One event or control event as JSON a line.' }) },
};

/** The problems that an operation may answer with, one response for each status. */
function problems(...codes: readonly ProblemCode[]): NonNullable<Responses> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) byStatus.set(PROBLEMS[code].status, [...(byStatus.get(PROBLEMS[code].status) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      String(status),
      {
        description: of.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
        content: { [PROBLEM_TYPE]: { schema: problemSchema } },
      },
    ]),
  );
}

const READ = [
  'invalid',
  'invalid-topic',
  'invalid-cursor',
  'invalid-filter',
  ...CREDENTIAL_PROBLEMS,
  'not-acceptable',
  'too-many-streams',
  'unavailable',
] as const;

const read = (summary: string): Pick<ZodOpenApiOperationObject, 'summary' | 'tags' | 'responses'> => ({
  summary,
  tags: ['Reading'],
  responses: {
    '200': { description: 'A stream, or a page.', content: { ...streams, ...json(pageSchema) } },
    ...problems(...READ, 'too-many-topics'),
  },
});

const lastEventId = z.object({
  'Last-Event-ID': z
    .string()
    .optional()
    .meta({ description: 'The cursor to go on from; a browser sends it by itself.' }),
});

const admin = { tags: ['Operating'], security: [{ token: [] }] };

/**
 * @param base where the API is mounted, `''` at the root
 * @param collections whether there are any: without, their paths are left out
 */
export function openApiDocument(
  base: string,
  { collections = false }: { readonly collections?: boolean } = {},
): object {
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version: '1',
      description: 'Live data over plain HTTP: REST writes up, event streams down, resumable from a durable log.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: base === '' ? '/' : base }],
    security: [{ token: [] }, { ticket: [] }, {}],
    tags: [
      { name: 'Reading' },
      { name: 'Writing' },
      { name: 'Streams' },
      { name: 'Presence' },
      ...(collections ? [{ name: 'Collections' }] : []),
      { name: 'Credentials' },
      { name: 'Operating' },
    ],
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        ticket: { type: 'apiKey', in: 'query', name: 'ticket' },
      },
    },
    paths: {
      '/v1/topics/{topic}/events': {
        get: {
          operationId: 'readTopic',
          ...read('Read a topic: stream, lines, page or long poll'),
          requestParams: { path: topicParamSchema, query: readQuerySchema, header: lastEventId },
        },
        post: {
          operationId: 'publish',
          summary: 'Publish events to a topic',
          tags: ['Writing'],
          requestParams: {
            path: topicParamSchema,
            header: z.object({ 'Idempotency-Key': idempotencyKeySchema.optional() }),
          },
          requestBody: {
            required: true,
            content: { ...json(publishSchema), 'application/x-ndjson': { schema: eventInputSchema } },
          },
          responses: {
            '201': {
              description: 'Durable. `Idempotent-Replayed: true` when the key was seen before.',
              content: json(publishedSchema),
            },
            '202': {
              description: 'Ephemeral events were given to whoever is connected.',
              content: json(publishedSchema),
            },
            ...problems(
              'malformed',
              'invalid',
              'invalid-topic',
              ...CREDENTIAL_PROBLEMS,
              'too-large',
              'unsupported-media-type',
              'idempotency-mismatch',
              'rate-limited',
              'unavailable',
            ),
          },
        },
      },
      '/v1/events': {
        get: {
          operationId: 'readTopics',
          ...read('Read several topics on one connection'),
          requestParams: { query: readQuerySchema.extend(topicsQuerySchema.shape), header: lastEventId },
        },
      },
      '/v1/streams': {
        post: {
          operationId: 'openStream',
          summary: 'Open a stream, or read a page, with a body',
          tags: ['Streams'],
          requestBody: body(streamOpenSchema),
          responses: {
            '200': { description: 'A stream, or a page.', content: { ...streams, ...json(pageSchema) } },
            ...problems(
              'malformed',
              'invalid',
              'invalid-topic',
              'invalid-cursor',
              'invalid-filter',
              'too-many-topics',
              'not-acceptable',
              ...CREDENTIAL_PROBLEMS,
              'too-many-streams',
            ),
          },
        },
        get: {
          operationId: 'listStreams',
          summary: 'The open streams of all nodes',
          ...admin,
          responses: {
            '200': { description: 'Open streams.', content: json(streamListSchema) },
            ...problems(...CREDENTIAL_PROBLEMS),
          },
        },
      },
      '/v1/streams/{stream}': {
        patch: {
          operationId: 'changeStream',
          summary: 'Add and remove topics of an open stream',
          tags: ['Streams'],
          requestParams: { path: streamParamSchema },
          requestBody: body(streamPatchSchema),
          responses: {
            '200': { description: 'The topics of the stream now.', content: json(streamTopicsSchema) },
            ...problems(
              'malformed',
              'invalid',
              'invalid-topic',
              'too-many-topics',
              ...CREDENTIAL_PROBLEMS,
              'not-found',
              'unavailable',
            ),
          },
        },
        delete: {
          operationId: 'endStream',
          summary: 'End an open stream',
          ...admin,
          requestParams: { path: streamParamSchema },
          responses: { '204': { description: 'Ended.' }, ...problems('invalid', ...CREDENTIAL_PROBLEMS, 'not-found') },
        },
      },
      '/v1/streams/{stream}/token': {
        put: {
          operationId: 'renewStream',
          summary: 'Put an open stream under the token of this request',
          tags: ['Streams'],
          requestParams: { path: streamParamSchema },
          responses: {
            '200': { description: 'Renewed.', content: json(streamTopicsSchema) },
            ...problems('invalid', ...CREDENTIAL_PROBLEMS, 'not-found', 'unavailable'),
          },
        },
      },
      '/v1/tickets': {
        post: {
          operationId: 'createTicket',
          summary: 'Make a read-only credential for a URL',
          tags: ['Credentials'],
          requestBody: body(ticketRequestSchema),
          responses: {
            '201': { description: 'A ticket.', content: json(ticketSchema) },
            ...problems(
              'malformed',
              'unsupported-media-type',
              'invalid',
              'invalid-topic',
              'too-many-topics',
              'too-large',
              ...CREDENTIAL_PROBLEMS,
            ),
          },
        },
      },
      '/v1/revocations': {
        post: {
          operationId: 'revoke',
          summary: 'Revoke tokens and tickets, and end their streams',
          ...admin,
          requestBody: body(revocationSchema),
          responses: {
            '204': { description: 'Revoked, on every node within a second.' },
            ...problems('malformed', 'unsupported-media-type', 'invalid', ...CREDENTIAL_PROBLEMS, 'unavailable'),
          },
        },
      },
      '/v1/topics': {
        get: {
          operationId: 'listTopics',
          summary: 'The topics there are',
          ...admin,
          requestParams: { query: topicListQuerySchema },
          responses: {
            '200': { description: 'Topics by name.', content: json(topicListSchema) },
            ...problems('invalid', ...CREDENTIAL_PROBLEMS, 'unavailable'),
          },
        },
      },
      '/v1/topics/{topic}': {
        get: {
          operationId: 'showTopic',
          summary: 'One topic',
          ...admin,
          requestParams: { path: topicParamSchema },
          responses: {
            '200': { description: 'The topic.', content: json(topicInfoSchema) },
            ...problems('invalid-topic', ...CREDENTIAL_PROBLEMS, 'not-found', 'unavailable'),
          },
        },
      },
      '/v1/accesses': {
        get: {
          operationId: 'listAccesses',
          summary: 'Who read what, newest first',
          ...admin,
          requestParams: { query: accessListQuerySchema },
          responses: {
            '200': { description: 'What was noted.', content: json(accessListSchema) },
            ...problems('invalid', ...CREDENTIAL_PROBLEMS, 'not-found', 'unavailable'),
          },
        },
      },
      ...presenceOperations(problems),
      ...(collections && collectionOperations(problems)),
      ...operating(),
    },
  });
}

function operating() {
  const get = (operationId: string, summary: string, type: string, more: Responses = {}) => ({
    get: {
      operationId,
      summary,
      tags: ['Operating'],
      security: [{}],
      responses: {
        '200': {
          description: 'OK.',
          content: { [type]: { schema: type.endsWith('json') ? z.looseObject({}) : z.string() } },
        },
        ...more,
      },
    },
  });
  return {
    '/healthz': get('health', 'Whether the process lives', 'application/json'),
    '/readyz': get(
      'readiness',
      'Whether the node can append and read',
      'application/json',
      problems('unavailable', 'draining'),
    ),
    '/metrics': get('metrics', 'Metrics for Prometheus', 'text/plain'),
    '/openapi.json': get('openApi', 'This document', 'application/json'),
    '/docs': get('docs', 'This document, for people', 'text/html'),
  };
}
