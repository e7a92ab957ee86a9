import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  eventInputSchema,
  idempotencyKeySchema,
  publishSchema,
  readQuerySchema,
  revocationSchema,
  streamOpenSchema,
  streamPatchSchema,
  ticketRequestSchema,
  topicListQuerySchema,
  topicsQuerySchema,
} from '../../src/protocol/schemas.ts';
import { jsonValue, nastyText } from './json-text.ts';

const accepts = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;

describe('what a publisher sends', () => {
  it('may have any JSON value as its data, which comes through as it is', () => {
    fc.assert(
      fc.property(jsonValue, (data) => {
        const result = eventInputSchema.safeParse({ data });
        expect(result.data).toEqual({ data });
      }),
    );
  });

  it('must have data, and null is data', () => {
    expect(accepts(eventInputSchema, { data: null })).toBe(true);
    for (const bad of [{}, { type: 'a' }, { data: undefined }, null, 'x', 5, []])
      expect(accepts(eventInputSchema, bad)).toBe(false);
  });

  it('has no member that is not known, by any name', () => {
    for (const name of ['id', 'topic', 'time', 'actor', 'mutation', 'datas', '__proto__', 'constructor', 'toString'])
      expect(accepts(publishSchema, JSON.parse(`{"data":1,"${name}":1}`))).toBe(false);
  });

  it('does not begin its type with $, nor hold white space, commas or control characters in it', () => {
    for (const good of ['message', 'order.paid', 'a$', 'open', 'error', 'é😀', '__proto__'])
      expect(accepts(eventInputSchema, { data: 1, type: good })).toBe(true);
    for (const bad of ['', '$', '$open', 'a b', 'a\n', 'a\0', 'a,b', 'a\ud800', 'a\u2028', 'x'.repeat(129), 5, null])
      expect(accepts(eventInputSchema, { data: 1, type: bad })).toBe(false);
  });

  it('has a key without control characters or lone surrogates', () => {
    for (const good of ['a', 'a b', '*', 'é😀', 'x'.repeat(512)])
      expect(accepts(eventInputSchema, { data: 1, key: good })).toBe(true);
    for (const bad of ['', 'a\0', 'a\r', 'a\x85', '\ud800', 'x'.repeat(513), 5, null])
      expect(accepts(eventInputSchema, { data: 1, key: bad })).toBe(false);
  });

  it('has a whole number as its version and a boolean as ephemeral', () => {
    expect(accepts(eventInputSchema, { data: 1, version: 0, ephemeral: false })).toBe(true);
    for (const version of [-1, 1.5, '1', null, 2 ** 31, Number.NaN])
      expect(accepts(eventInputSchema, { data: 1, version })).toBe(false);
    for (const ephemeral of [0, 'true', null]) expect(accepts(eventInputSchema, { data: 1, ephemeral })).toBe(false);
  });

  it('is one event or several, but not none', () => {
    expect(accepts(publishSchema, [{ data: 1 }, { data: null }])).toBe(true);
    for (const bad of [[], [{ data: 1 }, {}], [[{ data: 1 }]], [null]]) expect(accepts(publishSchema, bad)).toBe(false);
  });
});

describe('the query of a read', () => {
  it('is read or refused, whatever its values are', () => {
    const names = Object.keys(readQuerySchema.shape);
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), fc.oneof(nastyText, fc.array(nastyText, { maxLength: 3 }))),
        (query) => {
          expect(() => readQuerySchema.safeParse(query)).not.toThrow();
        },
      ),
    );
  });

  it('turns text into numbers, lists and switches, within bounds', () => {
    expect(
      readQuerySchema.parse({
        last: '5',
        limit: '1000',
        wait: '60',
        types: 'a,b',
        filter: 'a=eq.1',
        named: '1',
        conflate: '10',
        presence: '0',
      }),
    ).toEqual({
      last: 5,
      limit: 1000,
      wait: 60,
      types: ['a', 'b'],
      filter: ['a=eq.1'],
      named: true,
      conflate: 10,
      presence: false,
    });
    for (const bad of [
      { last: '-1' },
      { last: '1e3' },
      { last: '0x10' },
      { last: ' 1' },
      { last: '' },
      { limit: '0' },
      { limit: '1001' },
      { wait: '61' },
      { wait: '1.5' },
      { conflate: '9' },
      { named: 'true' },
      { types: '' },
      { types: 'a,,b' },
      { types: '$open' },
      { types: Array.from({ length: 51 }, () => 'a').join(',') },
      { filter: 'a' },
      { filter: Array.from({ length: 17 }, () => 'a=eq.1') },
      { after: 'x' },
      { after: '' },
      { lastEventId: 'x' },
      { since: 'yesterday' },
      { since: '2024-01-01' },
      { since: '2024-02-30T00:00:00Z' },
      { format: 'xml' },
    ])
      expect([bad, accepts(readQuerySchema, bad)]).toEqual([bad, false]);
    for (const good of [
      { lastEventId: '' },
      { after: 'earliest' },
      { after: 'latest' },
      { after: 'k3f0q8s1zd-0' },
      { lastEventId: 'k3f0q8s1zd-1.aaaaaaaaaa-2' },
      { since: '2024-01-01T00:00:00Z' },
      { since: '2024-01-01T00:00:00.123+02:00' },
    ])
      expect([good, accepts(readQuerySchema, good)]).toEqual([good, true]);
  });

  it('names one topic or many', () => {
    expect(topicsQuerySchema.parse({ topic: 'a' })).toEqual({ topic: ['a'] });
    expect(topicsQuerySchema.parse({ topic: ['a', 'b'] })).toEqual({ topic: ['a', 'b'] });
    for (const topic of [undefined, 'a b', ['a', ''], '']) expect(accepts(topicsQuerySchema, { topic })).toBe(false);
  });
});

describe('the bodies of other requests', () => {
  it('of a stream name topics, and nothing unknown', () => {
    expect(
      accepts(streamOpenSchema, { topics: [{ topic: 'a', after: 'earliest', filter: ['a=eq.1'], last: 1 }] }),
    ).toBe(true);
    expect(accepts(streamOpenSchema, { topics: [{ topic: 'a' }], format: 'json', limit: 10, wait: 25 })).toBe(true);
    for (const bad of [
      {},
      { topics: [] },
      { topics: ['a'] },
      { topics: [{ topic: 'a', more: 1 }] },
      { topics: [{ topic: 'a' }], format: 'xml' },
      { topics: [{ topic: 'a' }], format: 'json', limit: 0 },
      { topics: [{ topic: 'a' }], format: 'json', wait: -1 },
      { topics: [{ topic: 'a b' }] },
    ])
      expect(accepts(streamOpenSchema, bad)).toBe(false);
    expect(accepts(streamPatchSchema, { remove: ['a'] })).toBe(true);
    for (const bad of [{}, { add: [], remove: [] }, { add: ['a'] }, { remove: [{ topic: 'a' }] }])
      expect(accepts(streamPatchSchema, bad)).toBe(false);
  });

  it('of a ticket ask for topics and a time within bounds', () => {
    expect(accepts(ticketRequestSchema, { topics: ['a'], ttl: 60 })).toBe(true);
    for (const bad of [
      { topics: [] },
      { topics: ['*'] },
      { topics: ['a'], ttl: 0 },
      { topics: ['a'], ttl: 86_401 },
      { topics: ['a'], ttl: 1.5 },
    ])
      expect(accepts(ticketRequestSchema, bad)).toBe(false);
  });

  it('of a revocation name a subject or a token, as a database can hold it', () => {
    expect(accepts(revocationSchema, { sub: 'ann' })).toBe(true);
    expect(accepts(revocationSchema, { jti: 'x' })).toBe(true);
    for (const bad of [
      {},
      { sub: '' },
      { sub: 'a', jti: 'b' },
      { sub: 'a\0' },
      { jti: '\ud800' },
      { sub: 5 },
      { sub: 'x'.repeat(513) },
    ])
      expect(accepts(revocationSchema, bad)).toBe(false);
  });

  it('and what is looked up or remembered is text that a database can hold', () => {
    for (const bad of ['a\0', '\udc00', 'x'.repeat(513)]) {
      expect(accepts(topicListQuerySchema, { prefix: bad })).toBe(false);
      expect(accepts(topicListQuerySchema, { after: bad })).toBe(false);
    }
    expect(accepts(topicListQuerySchema, { prefix: 'chat:', after: '', limit: '10' })).toBe(true);
    for (const bad of ['', 'a\n', 'é', 'x'.repeat(201)]) expect(accepts(idempotencyKeySchema, bad)).toBe(false);
    expect(accepts(idempotencyKeySchema, 'x'.repeat(200))).toBe(true);
  });
});
