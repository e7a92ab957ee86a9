/** The shapes of the audit of reads, as zod schemas. */
import { z } from 'zod';
import { integer, nameSchema, topicSchema } from './schemas.ts';

/** The query of the audit. All values come as text. */
export const accessListQuerySchema = z.object({
  name: topicSchema.optional().meta({ description: 'The topic or collection that was read.' }),
  sub: nameSchema.optional().meta({ description: 'Who read it.' }),
  since: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({ description: 'Only readings that went on at or after this time.' }),
  until: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({ description: 'Only readings that began before this time.' }),
  limit: integer(1, 1000).optional(),
  page: z
    .string()
    .regex(/^[0-9]{1,15}-[0-9]{1,15}$/, 'the `next` of an earlier answer')
    .optional()
    .meta({ description: 'The `next` of an earlier answer.' }),
});

export const accessSchema = z
  .object({
    kind: z
      .enum(['stream', 'page', 'list', 'record', 'history', 'lost'])
      .meta({ description: 'How it was read. `lost` says that `count` entries were dropped in that time.' }),
    name: topicSchema.nullable(),
    key: z.string().nullable().meta({ description: "The record's key." }),
    sub: z.string().nullable(),
    role: z.string().nullable(),
    address: z.string().nullable(),
    request: z.string().nullable().meta({ description: 'Its `X-Request-Id`; of a stream, that which opened it.' }),
    node: z.string(),
    since: z.iso.datetime(),
    until: z.iso
      .datetime()
      .nullable()
      .meta({ description: '`null` while it goes on, and for ever when its node ended without a word.' }),
    count: z.int().optional(),
  })
  .meta({ id: 'Access' });

export const accessListSchema = z
  .object({
    accesses: z.array(accessSchema),
    next: z.string().optional().meta({ description: 'Give it back as `page` for the next page.' }),
  })
  .meta({ id: 'AccessList' });
