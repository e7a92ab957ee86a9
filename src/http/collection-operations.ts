/** The operations on collections in the OpenAPI document. */
import { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import {
  baseVersionSchema,
  collectionParamSchema,
  conflictSchema,
  createdRecordsSchema,
  historyQuerySchema,
  historySchema,
  newRecordsSchema,
  recordListQuerySchema,
  recordListSchema,
  recordParamSchema,
  recordQuerySchema,
  recordSchema,
} from '../protocol/collection-schemas.ts';
import { PROBLEM_TYPE, type ProblemCode } from '../protocol/problem.ts';
import { idempotencyKeySchema } from '../protocol/schemas.ts';
import { CREDENTIAL_PROBLEMS } from './credential-problems.ts';

type Responses = NonNullable<ZodOpenApiOperationObject['responses']>;

const json = (schema: z.ZodType) => ({ 'application/json': { schema } });
const key = { 'Idempotency-Key': idempotencyKeySchema.optional() };
const ifMatch = {
  'If-Match': z
    .string()
    .optional()
    .meta({ description: 'Only if the record has one of these tags, or `*` if it is there.' }),
};
const ifNoneMatch = (description: string) => ({ 'If-None-Match': z.string().optional().meta({ description }) });
const tagged = {
  ETag: z.string().meta({ description: 'The version of the record, quoted.', examples: ['"3"'] }),
};
const replayed = {
  'Idempotent-Replayed': z.string().optional().meta({ description: '`true` when the key was seen before.' }),
};
const located = { Location: z.string().meta({ description: 'Where the record is, when one was created.' }) };

const READ = ['invalid', ...CREDENTIAL_PROBLEMS, 'not-found', 'unavailable'] as const;
const WRITE = [
  ...READ,
  'malformed',
  'method-not-allowed',
  'idempotency-mismatch',
  'rate-limited',
  'too-large',
] as const;
const BODY = ['unsupported-media-type', 'not-null', 'check', 'unique', 'foreign-key', 'exclusion'] as const;

/** @param problems makes the responses of codes, one for each status */
export function collectionOperations(problems: (...codes: readonly ProblemCode[]) => Responses): ZodOpenApiPathsObject {
  const tags = ['Collections'];
  const path = recordParamSchema;
  // The conflict of a merge is a problem with more to it.
  const conflicts = (responses: Responses): Responses => ({
    ...responses,
    '409': {
      ...responses['409'],
      description: description(responses),
      content: { [PROBLEM_TYPE]: { schema: conflictSchema } },
    },
  });
  return {
    '/v1/collections/{name}': {
      get: {
        operationId: 'listRecords',
        summary: 'List records, with the cursor at which the collection’s stream goes on',
        tags,
        requestParams: { path: collectionParamSchema, query: recordListQuerySchema },
        responses: {
          '200': { description: 'A page of records.', content: json(recordListSchema) },
          ...problems(...READ, 'invalid-filter'),
        },
      },
      post: {
        operationId: 'createRecords',
        summary: 'Create a record, or several together',
        tags,
        requestParams: { path: collectionParamSchema, header: z.object(key) },
        requestBody: { required: true, content: json(newRecordsSchema) },
        responses: {
          '201': {
            description: 'Created.',
            headers: z.object({ ...located, ...replayed }),
            content: json(createdRecordsSchema),
          },
          ...problems(...WRITE, ...BODY),
        },
      },
    },
    '/v1/collections/{name}/{key}': {
      get: {
        operationId: 'readRecord',
        summary: 'Read a record, as it is or as it was',
        description:
          'Of the past (`at`), where Postgres decides who sees which rows, only administrators may ask: policies cannot be asked about it.',
        tags,
        requestParams: {
          path,
          query: recordQuerySchema,
          header: z.object(ifNoneMatch('Answers 304 when the record has one of these tags.')),
        },
        responses: {
          '200': { description: 'The record.', headers: z.object(tagged), content: json(recordSchema) },
          '304': { description: 'The record is the one that the caller has.' },
          ...problems(...READ, 'gone'),
        },
      },
      put: {
        operationId: 'replaceRecord',
        summary: 'Put a record in the place of another, or create it',
        tags,
        requestParams: { path, header: z.object({ ...key, ...ifMatch, ...ifNoneMatch('`*`: only create.') }) },
        requestBody: { required: true, content: json(recordSchema) },
        responses: {
          '200': {
            description: 'Replaced.',
            headers: z.object({ ...tagged, ...replayed }),
            content: json(recordSchema),
          },
          '201': {
            description: 'Created.',
            headers: z.object({ ...tagged, ...located, ...replayed }),
            content: json(recordSchema),
          },
          ...problems(...WRITE, ...BODY, 'precondition-failed'),
        },
      },
      patch: {
        operationId: 'patchRecord',
        summary: 'Change some fields of a record; with a base version, by a three-way merge',
        tags,
        requestParams: {
          path,
          header: z.object({
            ...key,
            ...ifMatch,
            'Base-Version': baseVersionSchema.optional().meta({
              description: 'The version that the client started from: asks for a merge with what came since.',
            }),
          }),
        },
        requestBody: {
          required: true,
          content: { 'application/merge-patch+json': { schema: recordSchema }, ...json(recordSchema) },
        },
        responses: {
          '200': {
            description: 'Changed.',
            headers: z.object({
              ...tagged,
              ...replayed,
              Merged: z
                .string()
                .optional()
                .meta({ description: '`true` when somebody else had changed something too.' }),
            }),
            content: json(recordSchema),
          },
          ...conflicts(problems(...WRITE, ...BODY, 'precondition-failed', 'conflict')),
        },
      },
      delete: {
        operationId: 'removeRecord',
        summary: 'Remove a record',
        tags,
        requestParams: { path, header: z.object({ ...key, ...ifMatch }) },
        responses: {
          '204': { description: 'Removed.', headers: z.object(replayed) },
          ...problems(...WRITE, 'foreign-key', 'precondition-failed'),
        },
      },
    },
    '/v1/collections/{name}/{key}/history': {
      get: {
        operationId: 'readRecordHistory',
        summary: 'The versions of a record, the newest first',
        description:
          'As far as the log goes back. Where Postgres decides who sees which rows, only administrators may ask: policies cannot be asked about the past.',
        tags,
        requestParams: { path, query: historyQuerySchema },
        responses: {
          '200': { description: 'A page of versions.', content: json(historySchema) },
          ...problems(...READ),
        },
      },
    },
  };
}

function description(responses: Responses): string {
  const response: unknown = responses['409'];
  return typeof response === 'object' && response !== null && 'description' in response
    ? String(response.description)
    : 'A conflict.';
}
