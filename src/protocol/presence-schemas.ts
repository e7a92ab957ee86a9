/** The shapes of presence, as zod schemas. */
import { z } from 'zod';
import { CONTROL } from './key.ts';
import { MAX_MEMBER, PRESENCE_TTL } from './limits.ts';
import { topicSchema } from './schemas.ts';

export const memberSchema = z
  .string()
  .min(1)
  .max(MAX_MEMBER)
  // A URL cannot name `.` and `..`: every client folds such a segment away (WHATWG URL, section 4.4).
  .refine((name) => !CONTROL.test(name) && name !== '.' && name !== '..', 'no control characters, and not . or ..')
  .meta({ id: 'MemberName', description: 'Who it is, at this topic.', examples: ['ada'] });

export const memberParamSchema = z.object({ topic: topicSchema, member: memberSchema });

/** What is absent of a renewal stays as it was. */
export const presencePutSchema = z
  .strictObject({
    state: z.unknown().meta({ description: 'Any JSON value, at most 4 KiB.' }),
    ttl: z
      .int()
      .min(PRESENCE_TTL.least)
      .max(PRESENCE_TTL.most)
      .optional()
      .meta({ description: `Seconds without a sign of life until it ends; ${PRESENCE_TTL.default} unless told.` }),
    stream: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .meta({ description: 'An open stream of the caller, from `$open`: it keeps the lease alive.' }),
  })
  .partial()
  .meta({ id: 'PresencePut' });

export const memberInfoSchema = z
  .object({
    member: memberSchema,
    state: z.unknown(),
    since: z.iso.datetime().meta({ description: 'When the member joined.' }),
    seen: z.iso.datetime().meta({ description: 'The last sign of life.' }),
  })
  .meta({ id: 'Member' });

export const leaseSchema = memberInfoSchema
  .extend({ expires: z.iso.datetime().meta({ description: 'When it ends without another sign of life.' }) })
  .meta({ id: 'Lease' });

export const memberListSchema = z.object({ members: z.array(memberInfoSchema) }).meta({ id: 'MemberList' });
