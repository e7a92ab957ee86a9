import { describe, expect, it } from 'vitest';
import type { Write } from '../../../src/client/mutation.ts';
import type { Kept } from '../../../src/client/outbox/store.ts';
import { toRequest } from '../../../src/client/outbox/to-request.ts';
import { mutationOf, patch, publish, remove, replace } from './mutations.ts';

describe('the request of a mutation', () => {
  const of = (write: Write, members: Partial<Kept> = {}) => toRequest(mutationOf(write, { id: 'id', ...members }));

  it('publishes events as a list', () => {
    expect(of(publish('https://example.com/a', 1))).toEqual([
      'POST',
      '/v1/topics/https%3A%2F%2Fexample.com%2Fa/events',
      { body: [{ data: 1 }], headers: { 'Idempotency-Key': 'id' } },
    ]);
    const events = [{ data: 1 }, { data: 2 }];
    expect(of({ kind: 'publish', topic: 'a', events })[2]?.body).toEqual(events);
  });

  it('creates', () => {
    expect(of({ kind: 'create', collection: 'notes', key: '1', record: { id: 1 } })).toEqual([
      'POST',
      '/v1/collections/notes',
      { body: { id: 1 }, headers: { 'Idempotency-Key': 'id' } },
    ]);
  });

  it('patches, with the base where it is known', () => {
    expect(of(patch({ a: null }, 3, 'a/b,c'))).toEqual([
      'PATCH',
      '/v1/collections/notes/a%2Fb%2Cc',
      { body: { a: null }, headers: { 'Idempotency-Key': 'id', 'Base-Version': '3' } },
    ]);
    expect(of(patch())[2]?.headers).toEqual({ 'Idempotency-Key': 'id' });
  });

  it('replaces and deletes, on the condition of the version that is known', () => {
    expect(of(replace({ a: 1 }, 4))).toEqual([
      'PUT',
      '/v1/collections/notes/1',
      { body: { a: 1 }, headers: { 'Idempotency-Key': 'id', 'If-Match': '"4"' } },
    ]);
    expect(of(remove())).toEqual(['DELETE', '/v1/collections/notes/1', { headers: { 'Idempotency-Key': 'id' } }]);
  });

  it('has a key of its own for each revision', () => {
    expect(of(publish(), { revision: 2 })[2]?.headers).toEqual({ 'Idempotency-Key': 'id.2' });
  });
});
