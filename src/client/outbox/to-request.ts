/** The request of a mutation (protocol sections 3 and 6.4). */
import { mutationKey, type Row, type Write } from '../mutation.ts';
import type { Request } from '../request.ts';
import type { Kept } from './store.ts';

const METHODS = { publish: 'POST', create: 'POST', patch: 'PATCH', replace: 'PUT', delete: 'DELETE' } as const;

/**
 * The arguments of {@link Request}. They are the same whenever the same revision is sent: the server refuses a key that comes with anything
 * else.
 */
export function toRequest(mutation: Kept, signal?: AbortSignal): Parameters<Request> {
  const { lane, write, base } = mutation;
  const { kind } = write;
  const headers: Record<string, string> = { 'Idempotency-Key': mutationKey(mutation) };
  // Versions count from 1. A patch asks for a merge (section 6.5), and all else for a refusal.
  if (base && kind === 'patch') headers['Base-Version'] = `${base}`;
  else if (base) headers['If-Match'] = `"${base}"`;
  // What is created has no path yet: its collection has.
  const path = kind === 'create' ? lane.slice(0, lane.lastIndexOf('/')) : lane;
  return [METHODS[kind], path, { body: changeOf(write), headers, signal }];
}

/** What is to be written, as the body of a request; `undefined` of a delete. */
export function changeOf(write: Exclude<Write, { kind: 'publish' }>): Row | undefined;
export function changeOf(write: Write): unknown;
export function changeOf(write: Write): unknown {
  return 'events' in write
    ? write.events
    : 'patch' in write
      ? write.patch
      : 'record' in write
        ? write.record
        : undefined;
}
