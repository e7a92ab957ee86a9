/** The operations on presence in the OpenAPI document. */
import type { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { leaseSchema, memberListSchema, memberParamSchema, presencePutSchema } from '../protocol/presence-schemas.ts';
import type { ProblemCode } from '../protocol/problem.ts';
import { topicParamSchema } from '../protocol/schemas.ts';
import { CREDENTIAL_PROBLEMS } from './credential-problems.ts';

type Responses = NonNullable<ZodOpenApiOperationObject['responses']>;

const json = (schema: z.ZodType) => ({ 'application/json': { schema } });
const READ = ['invalid-topic', ...CREDENTIAL_PROBLEMS, 'not-found', 'unavailable'] as const;

/** @param problems makes the responses of codes, one for each status */
export function presenceOperations(problems: (...codes: readonly ProblemCode[]) => Responses): ZodOpenApiPathsObject {
  const tags = ['Presence'];
  return {
    '/v1/presence/{topic}': {
      get: {
        operationId: 'listMembers',
        summary: 'Who is at a topic',
        tags,
        requestParams: { path: topicParamSchema },
        responses: {
          '200': { description: 'Members in the order of joining.', content: json(memberListSchema) },
          ...problems(...READ),
        },
      },
    },
    '/v1/presence/{topic}/{member}': {
      put: {
        operationId: 'joinTopic',
        summary: 'Join a topic as a member, or stay there',
        tags,
        requestParams: { path: memberParamSchema },
        requestBody: { required: false, content: json(presencePutSchema) },
        responses: {
          '200': { description: 'The lease.', content: json(leaseSchema) },
          ...problems(
            'malformed',
            'invalid',
            ...READ,
            'too-large',
            'unsupported-media-type',
            'rate-limited',
            'too-many-members',
          ),
        },
      },
      delete: {
        operationId: 'leaveTopic',
        summary: 'Leave a topic',
        tags,
        requestParams: { path: memberParamSchema },
        responses: { '204': { description: 'Not there any more.' }, ...problems('invalid', ...READ, 'rate-limited') },
      },
    },
  };
}
