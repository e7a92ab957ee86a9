/** Mutations for tests, with only what matters said. */
import type { Row, Write } from '../../../src/client/mutation.ts';
import { laneOf } from '../../../src/client/outbox/lanes.ts';
import type { Kept } from '../../../src/client/outbox/store.ts';

let order = 0;

/** A mutation that waits, after all those made before. */
export function mutationOf(write: Write, members: Partial<Kept> = {}): Kept {
  order += 1;
  const id = members.id ?? `m${order}`;
  return {
    id,
    order,
    seq: order,
    base: 'base' in write ? write.base : 'version' in write ? write.version : undefined,
    lane: laneOf(write, id),
    write,
    state: 'pending',
    revision: 0,
    attempts: 0,
    enqueued: 0,
    ...members,
  };
}

export function publish(topic = 'a', data: unknown = 1): Write {
  return { kind: 'publish', topic, events: [{ data }] };
}

export function patch(change: Row = { text: 'x' }, base?: number, key = '1'): Write {
  return { kind: 'patch', collection: 'notes', key, patch: change, base };
}

export function replace(record: Row = { text: 'x' }, version?: number): Write {
  return { kind: 'replace', collection: 'notes', key: '1', record, version };
}

export function remove(version?: number): Write {
  return { kind: 'delete', collection: 'notes', key: '1', version };
}
