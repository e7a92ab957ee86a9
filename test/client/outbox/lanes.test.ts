import { describe, expect, it } from 'vitest';
import { laneOf } from '../../../src/client/outbox/lanes.ts';
import { patch, publish, remove } from './mutations.ts';

describe('a lane', () => {
  it('is a topic, or a record, whatever is done to it', () => {
    expect(laneOf(publish('a'), 'm')).toBe(laneOf(publish('a', 2), 'n'));
    expect(laneOf(patch(), 'm')).toBe(laneOf(remove(), 'n'));
    expect(laneOf({ kind: 'create', collection: 'notes', key: '1', record: {} }, 'm')).toBe(laneOf(patch(), 'n'));
    expect(laneOf(patch({}, 1, '2'), 'm')).not.toBe(laneOf(patch(), 'n'));
    expect(laneOf(publish('notes/1'), 'm')).not.toBe(laneOf(patch(), 'n'));
  });

  it('is its own for each record that is created without a key', () => {
    const write = { kind: 'create', collection: 'notes', record: {} } as const;
    expect(laneOf(write, 'm')).not.toBe(laneOf(write, 'n'));
  });

  it('is the path that it is sent to', () => {
    expect(laneOf(publish('https://example.com/a'), 'm')).toBe('/v1/topics/https%3A%2F%2Fexample.com%2Fa/events');
    expect(laneOf(patch({}, 1, 'a/b,c'), 'm')).toBe('/v1/collections/notes/a%2Fb%2Cc');
  });

  it('cannot be made of what no path can name', () => {
    expect(() => laneOf(publish('\ud800'), 'm')).toThrow(URIError);
  });
});
