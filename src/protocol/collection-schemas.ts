/** The shapes of requests for collections and of their answers (protocol section 6), for the edge and for the OpenAPI document. */
import { z } from 'zod';
import { MAX_FILTERS, parseFilter } from './filter.ts';
import { cursorSchema, problemSchema, topicSchema } from './schemas.ts';

/** The most records of a page. */
export const MAX_PAGE_RECORDS = 1000;

export const collectionParamSchema = z.object({
  name: topicSchema.meta({
    id: 'CollectionName',
    description: "A collection's name: that of the topic of its changes.",
  }),
});

export const recordParamSchema = z.object({
  ...collectionParamSchema.shape,
  key: z.string().min(1).max(4096).meta({
    description:
      'The key of a record, percent-encoded. Of a key of several fields each is percent-encoded by itself first, and joined by commas.',
  }),
});

const filterSchema = z
  .string()
  .refine((text) => parseFilter(text) !== undefined, 'a filter is <field>=<op>.<value>')
  .meta({
    description: '`<field>=<op>.<value>` with op one of eq neq gt gte lt lte in is.',
    examples: ['status=eq.open', 'total=gte.10'],
  });

/** The query of a list. All values come as text. */
export const recordListQuerySchema = z.strictObject(
  {
    filter: z
      .union([filterSchema.transform((text) => [text]), z.array(filterSchema).max(MAX_FILTERS)])
      .optional()
      .meta({ description: 'Only records for which all hold.' }),
    order: z
      .string()
      .min(1)
      .max(2048)
      .optional()
      .meta({ description: '`field.asc,other.desc`; by key unless said.', examples: ['createdAt.desc'] }),
    limit: z
      .string()
      .regex(/^[0-9]{1,4}$/, 'a whole number')
      .transform(Number)
      .pipe(z.int().min(1).max(MAX_PAGE_RECORDS))
      .optional()
      .meta({ description: 'Page size, 1 to 1000; 100 unless said.' }),
    page: z.string().min(1).max(8192).optional().meta({ description: 'The `next` of the page before.' }),
    ticket: z.string().max(4096).optional().meta({ description: 'A ticket from POST /v1/tickets.' }),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `no parameter of a list: ${issue.keys.slice(0, 5).join(', ')}. A filter is filter=<field>=<op>.<value>`
        : undefined,
  },
);
export type RecordListQuery = z.infer<typeof recordListQuerySchema>;

/** The query of a read. */
export const recordQuerySchema = z.object({
  at: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({
      description: 'The record as it was at this time, as far as the log goes back.',
      examples: ['2030-01-31T12:00:00Z'],
    }),
  ticket: z.string().max(4096).optional().meta({ description: 'A ticket from POST /v1/tickets.' }),
});

/** The most versions of a page. */
export const MAX_PAGE_VERSIONS = 100;

/** The query of a history. */
export const historyQuerySchema = z.object({
  limit: z
    .string()
    .regex(/^[0-9]{1,3}$/, 'a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(MAX_PAGE_VERSIONS))
    .optional()
    .meta({ description: 'Page size, 1 to 100; 20 unless said.' }),
  before: cursorSchema.optional().meta({ description: 'The `next` of the page before, or the `id` of a version.' }),
  ticket: z.string().max(4096).optional().meta({ description: 'A ticket from POST /v1/tickets.' }),
});

/** A version that a client started from, as the header `Base-Version` carries it. */
export const baseVersionSchema = z
  .string()
  .regex(/^[0-9]{1,16}$/, 'a whole number')
  .transform(Number)
  .pipe(z.int().min(0));

/** A record in wire form. Its fields are those of the table. */
export const recordSchema = z
  .looseObject({})
  .meta({ id: 'Record', description: "A row of the table; the fields are those of the collection's definition." });

export const recordListSchema = z
  .object({
    records: z.array(recordSchema),
    cursor: cursorSchema.meta({
      description: "Give it as `after` to the collection's stream: it goes on exactly where these records end.",
    }),
    next: z.string().optional().meta({ description: 'Give it back as `page` for the next page. Absent on the last.' }),
  })
  .meta({ id: 'RecordList' });

export const historySchema = z
  .object({
    versions: z.array(
      z.object({
        id: cursorSchema.meta({ description: 'That of the event of this change.' }),
        time: z.iso.datetime(),
        type: z.enum(['insert', 'update', 'delete']),
        version: z.int(),
        record: recordSchema.optional().meta({
          description:
            'The record of this version; for a delete the one that went. Absent when it was too large to be kept.',
        }),
        actor: z.string().optional(),
        changed: z.array(z.string()).optional().meta({ description: 'The fields that an update changed.' }),
      }),
    ),
    next: z
      .string()
      .optional()
      .meta({ description: 'Give it back as `before` for what is older. Absent on the last page.' }),
    complete: z.boolean().meta({
      description: '`false` when versions among these, or before them, are no longer in the log, or never were.',
    }),
  })
  .meta({ id: 'RecordHistory' });

export const newRecordsSchema = z
  .union([recordSchema, z.array(recordSchema).min(1).max(1000)])
  .meta({ id: 'NewRecords' });

export const createdRecordsSchema = z
  .union([recordSchema, z.object({ records: z.array(recordSchema) })])
  .meta({ id: 'CreatedRecords', description: 'One record when one was sent, `records` when an array was.' });

export const conflictSchema = problemSchema
  .extend({
    base: recordSchema
      .optional()
      .meta({ description: 'The record that the client started from, where it is still known.' }),
    current: recordSchema.optional().meta({ description: 'The record as it is.' }),
    yours: recordSchema.optional().meta({ description: "The client's patch." }),
    fields: z.array(z.string()).optional().meta({ description: 'The fields that both sides changed.' }),
  })
  .meta({ id: 'Conflict', description: 'A problem; with code `conflict` it has what is needed to decide.' });
