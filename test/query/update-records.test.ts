import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/client/mutation.ts';
import type { Event } from '../../src/protocol/event.ts';
import { updateRecords } from '../../src/query/update-records.ts';

const options = { keyOf: ({ id }: Row) => (id === undefined ? undefined : String(id)), version: 'version' };
const update = (cached: unknown, event: Event) => updateRecords(cached, event, options);

function event(type: string, id: number, version: number, rest: object = {}): Event {
  const row = { id, version, text: `${id}.${version}` };
  const data = type === 'delete' ? { old: row, version } : { new: row, version, ...rest };
  return { topic: 'things', time: '', type, key: `${id}`, data };
}

const one = { id: 1, version: 1, text: 'old' };
const two = { id: 2, version: 3, text: 'two' };

describe('a list', () => {
  it('has the new version in the place of the old one', () => {
    const cached = [one, two];
    const next = update(cached, event('update', 1, 2));
    expect(next).toEqual([{ id: 1, version: 2, text: '1.2' }, two]);
    expect(cached).toEqual([one, two]);
  });

  it('is the same where it has the change already, or a later one', () => {
    const cached = [one, two];
    for (const change of [event('update', 2, 3), event('insert', 2, 1), event('delete', 2, 2), event('delete', 9, 1)])
      expect(update(cached, change)).toBe(cached);
  });

  it('lets go of a record that is gone', () => {
    expect(update([one, two], event('delete', 2, 3))).toEqual([one]);
  });

  it('cannot say whether a record belongs to it that it does not have', () => {
    expect(update([one], event('insert', 5, 1))).toBeUndefined();
    expect(update([one], event('update', 5, 2))).toBeUndefined();
  });

  it('has the fields that a change leaves out from the version before, where that is known', () => {
    const omitted = { new: { id: 1, version: 2 }, omitted: ['text'], changed: ['version'] };
    expect(update([one], event('update', 1, 2, omitted))).toEqual([{ id: 1, version: 2, text: 'old' }]);
    expect(update([{ ...one, version: 0 }], event('update', 1, 2, omitted))).toBeUndefined();
  });
});

describe('a record', () => {
  it('is the new version of it, and the same where another has changed', () => {
    expect(update(one, event('update', 1, 2))).toEqual({ id: 1, version: 2, text: '1.2' });
    expect(update(one, event('update', 2, 9))).toBe(one);
    expect(update(one, event('update', 1, 1))).toBe(one);
  });

  it('that is gone is not known any more', () => {
    expect(update(one, event('delete', 1, 1))).toBeUndefined();
    expect(update(two, event('delete', 2, 1))).toBe(two);
  });
});

describe('anything else', () => {
  it('cannot be decided', () => {
    for (const cached of [{ count: 3 }, [1, 2], null, 'text', { pages: [[one]], pageParams: [] }, { id: 1 }])
      expect(update(cached, event('update', 1, 2))).toBeUndefined();
    expect(update([1, 2], event('delete', 1, 2))).toBeUndefined();
  });

  it('is the same for an event that tells of no record', () => {
    expect(update('text', { topic: 'things', time: '', type: 'said', data: 1 })).toBe('text');
  });
});
