/** The request of a mutation (protocol sections 3 and 6.4). */
import { formatTag } from '../../protocol/preconditions.ts';
import { type Mutation, mutationKey } from '../mutation.ts';
import type { Request } from '../request.ts';

/**
 * The arguments of {@link Request}. They are the same whenever the same revision is sent: the server refuses a key that comes with anything
 * else.
 */
export function toRequest(mutation: Pick<Mutation, 'id' | 'revision' | 'write'>): Parameters<Request> {
  const { write } = mutation;
  const headers: Record<string, string> = { 'Idempotency-Key': mutationKey(mutation) };
  if (write.kind === 'publish') {
    const { topic, events } = write;
    const body = events.length === 1 ? events[0] : events;
    return ['POST', `/v1/topics/${encodeURIComponent(topic)}/events`, { body, headers }];
  }
  if (write.kind === 'create') return ['POST', collectionPath(write.collection), { body: write.record, headers }];
  const path = recordPath(write.collection, write.key);
  if (write.kind === 'patch') {
    headers['Content-Type'] = 'application/merge-patch+json';
    if (write.base !== undefined) headers['Base-Version'] = `${write.base}`;
    return ['PATCH', path, { body: write.patch, headers }];
  }
  if (write.version !== undefined) headers['If-Match'] = formatTag(`${write.version}`);
  return write.kind === 'replace' ? ['PUT', path, { body: write.record, headers }] : ['DELETE', path, { headers }];
}

export function recordPath(collection: string, key: string): string {
  return `${collectionPath(collection)}/${encodeURIComponent(key)}`;
}

function collectionPath(collection: string): string {
  return `/v1/collections/${encodeURIComponent(collection)}`;
}
