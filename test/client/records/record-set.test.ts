import { describe, expect, it } from 'vitest';
import type { Mutation, Row, Write } from '../../../src/client/mutation.ts';
import { isTemporaryKey, temporaryKey } from '../../../src/client/records/record-key.ts';
import { createRecordSet, type RecordChange } from '../../../src/client/records/record-set.ts';
import type { Event } from '../../../src/protocol/event.ts';

const FIELDS = { key: ['id'], version: 'version' };

function open(options: { order?: string; limit?: number; room?: number; filters?: readonly string[] } = {}) {
  const { order, limit = 1000, room = limit, filters = [] } = options;
  const shown: string[] = [];
  const set = createRecordSet({ ...FIELDS, collection: 'things', order, limit, room, filters }, ({ id }) => {
    shown.push(id);
  });
  return { set, shown };
}

function loaded(rows: readonly Row[], options: Parameters<typeof open>[0] & { more?: boolean } = {}) {
  const opened = open(options);
  opened.set.list()(rows, options.more ?? false);
  return opened;
}

function event(key: string, data: RecordChange, mutation?: string): Event<RecordChange> {
  return { topic: 'things', time: '', type: '', key, data, ...(mutation !== undefined && { mutation }) };
}

function put(row: Row, more: Partial<RecordChange> & { mutation?: string } = {}): Event<RecordChange> {
  const { mutation, ...rest } = more;
  return event(String(row['id']), { new: row, version: Number(row['version']), ...rest }, mutation);
}

function gone(key: string, version: number, mutation?: string): Event<RecordChange> {
  return event(key, { version }, mutation);
}

let count = 0;
type Partly<W> = W extends unknown ? Omit<W, 'collection'> : never;
function write(what: Partly<Exclude<Write, { kind: 'publish' }>>, more: Partial<Mutation> = {}): Mutation {
  count += 1;
  const rest = { lane: '', revision: 0, attempts: 0, enqueued: 0, state: 'pending' } as const;
  return { id: `m${count}`, order: count, write: { collection: 'things', ...what } as Write, ...rest, ...more };
}

const acknowledged = (mutation: Mutation, body?: Row): Mutation => ({
  ...mutation,
  state: 'acknowledged',
  answer: { merged: false, ...(body !== undefined && { version: Number(body['version']), body }) },
});

describe('the base', () => {
  it('is what the list said, changed by events', () => {
    const { set } = loaded([
      { id: 1, a: 'x', version: 1 },
      { id: 2, a: 'y', version: 1 },
    ]);
    set.apply(put({ id: 1, a: 'z', version: 2 }));
    set.apply(gone('2', 1));
    set.apply(put({ id: 3, a: 'n', version: 1 }));
    expect(set.rows()).toEqual([
      { id: 1, a: 'z', version: 2 },
      { id: 3, a: 'n', version: 1 },
    ]);
  });

  it('takes another row of the same key, whose versions begin anew', () => {
    const { set } = loaded([{ id: 1, a: 'old', version: 9 }]);
    set.apply(put({ id: 1, a: 'another', version: 1 }));
    expect(set.rows()).toEqual([{ id: 1, a: 'another', version: 1 }]);
  });

  it('keeps what was omitted when it did not change, and asks for it when it may have', () => {
    const { set } = loaded([{ id: 1, a: 'x', large: 'L', version: 1 }]);
    const lacking = (version: number, changed?: readonly string[]) =>
      set.apply(put({ id: 1, a: 'y', version }, { omitted: ['large'], changed }));
    expect(lacking(2, ['a'])).toBe(true);
    expect(set.rows()).toEqual([{ id: 1, a: 'y', large: 'L', version: 2 }]);
    expect(lacking(3, ['large'])).toBe(false);
    expect(lacking(3)).toBe(false);
    expect(set.apply(put({ id: 2, version: 1 }, { omitted: ['large'], changed: ['a'] }))).toBe(false);
    expect(set.rows()).toEqual([{ id: 1, a: 'y', large: 'L', version: 2 }]);
  });

  it('refuses a list whose rows have no key or no version', () => {
    const { set } = open();
    expect(set.list()([{ name: 'x', version: 1 }], false)).toBe(false);
    expect(set.list()([{ id: 'x' }], false)).toBe(false);
    expect(set.list()([{ id: 'x', version: null }], false)).toBe(false);
    expect(set.list()([{ id: 'x', version: '12' }], false)).toBe(true);
    expect(set.versionOf('x')).toBe(12);
  });
});

describe('a row', () => {
  it('stays the same object while it does not change, and so does the array', () => {
    const { set } = loaded([
      { id: 1, version: 1 },
      { id: 2, version: 1 },
    ]);
    const before = set.rows();
    expect(set.rows()).toBe(before);
    set.list()(
      [
        { id: 1, version: 1 },
        { id: 2, version: 1 },
      ],
      false,
    );
    expect(set.rows()).toBe(before);
    set.apply(put({ id: 2, version: 2 }));
    expect(set.rows()).not.toBe(before);
    expect(set.rows()[0]).toBe(before[0]);
    expect(before[1]).toEqual({ id: 2, version: 1 });
  });

  it('moves to its place when a field changes by which it is ordered', () => {
    const { set } = loaded(
      [
        { id: 1, n: 3, version: 1 },
        { id: 2, n: 2, version: 1 },
        { id: 3, n: 1, version: 1 },
      ],
      { order: 'n.desc' },
    );
    set.apply(put({ id: 3, n: 9, version: 2 }));
    expect(set.rows().map(({ id }) => id)).toEqual([3, 1, 2]);
  });
});

describe('a pending patch', () => {
  it('shows at once, lies over every newer base, and keeps null for a field', () => {
    const { set } = loaded([{ id: 1, a: 'x', b: 'y', o: { p: 1, q: 2 }, version: 1 }]);
    const mine = write({ kind: 'patch', key: '1', patch: { a: 'mine', b: null, o: { p: null } } });
    set.mutate(mine);
    expect(set.rows()).toEqual([{ id: 1, a: 'mine', b: null, o: { q: 2 }, version: 1 }]);
    set.apply(put({ id: 1, a: 'theirs', b: 'y', o: { p: 1, q: 3 }, c: 'new', version: 2 }));
    expect(set.rows()).toEqual([{ id: 1, a: 'mine', b: null, o: { q: 3 }, c: 'new', version: 2 }]);
    expect(set.pendingOf('1')).toEqual([mine]);
    expect(set.pendingOf('2')).toEqual([]);
  });

  it('is rolled back when it is refused, and named until it is discarded', () => {
    const { set } = loaded([{ id: 1, a: 'x', version: 1 }]);
    const mine = write({ kind: 'patch', key: '1', patch: { a: 'mine' } });
    set.mutate(mine);
    const dead: Mutation = { ...mine, state: 'dead' };
    set.mutate(dead);
    expect(set.rows()).toEqual([{ id: 1, a: 'x', version: 1 }]);
    expect(set.pendingOf('1')).toEqual([dead]);
    set.mutate({ ...dead, gone: 'discarded' });
    expect(set.pendingOf('1')).toEqual([]);
  });

  it('shows again when it is tried again', () => {
    const { set } = loaded([{ id: 1, a: 'x', version: 1 }]);
    const mine = write({ kind: 'patch', key: '1', patch: { a: 'mine' } });
    set.mutate({ ...mine, state: 'dead' });
    set.mutate({ ...mine, revision: 1 });
    expect(set.rows()[0]?.['a']).toBe('mine');
    set.apply(put({ id: 1, a: 'late', version: 2 }, { mutation: mine.id }));
    expect(set.rows()[0]?.['a']).toBe('mine');
    set.apply(put({ id: 1, a: 'mine', version: 3 }, { mutation: `${mine.id}.1` }));
    expect(set.pendingOf('1')).toEqual([]);
  });

  it('of a row that is not there shows nothing', () => {
    const { set } = loaded([]);
    set.mutate(write({ kind: 'patch', key: '1', patch: { a: 'mine' } }));
    expect(set.rows()).toEqual([]);
  });
});

describe('an acknowledged write', () => {
  it('shows what the server answered, until the base is no older', () => {
    const { set, shown } = loaded([{ id: 1, a: 'x', version: 1 }]);
    const mine = write({ kind: 'patch', key: '1', patch: { a: 'mine' } });
    set.mutate(mine);
    set.mutate(acknowledged(mine, { id: 1, a: 'mine', b: 'merged', version: 3 }));
    set.apply(put({ id: 1, a: 'x', b: 'merged', version: 2 }));
    expect(set.rows()).toEqual([{ id: 1, a: 'mine', b: 'merged', version: 3 }]);
    expect(set.versionOf('1')).toBe(3);
    expect(shown).toEqual([]);
    set.apply(put({ id: 1, a: 'mine', b: 'later', version: 4 }));
    expect(set.rows()).toEqual([{ id: 1, a: 'mine', b: 'later', version: 4 }]);
    expect(shown).toEqual([mine.id]);
  });

  it('whose event came before its answer is not shown twice', () => {
    const { set, shown } = loaded([{ id: 1, a: 'x', version: 1 }]);
    const mine = write({ kind: 'patch', key: '1', patch: { a: 'mine' } });
    set.mutate(mine);
    set.apply(put({ id: 1, a: 'mine', version: 2 }, { mutation: mine.id }));
    set.apply(put({ id: 1, a: 'theirs', version: 3 }));
    set.mutate(acknowledged(mine, { id: 1, a: 'mine', version: 2 }));
    expect(set.rows()[0]?.['a']).toBe('theirs');
    expect(set.pendingOf('1')).toEqual([]);
    expect(shown).toEqual([mine.id]);
  });

  it('that another tab has seen settle shows until this base shows it', () => {
    const { set } = loaded([{ id: 1, a: 'x', version: 1 }]);
    const mine = write({ kind: 'patch', key: '1', patch: { a: 'mine' } });
    set.mutate(mine);
    const answered = acknowledged(mine, { id: 1, a: 'mine', version: 2 });
    set.mutate({ ...answered, gone: 'settled' });
    expect(set.rows()[0]?.['a']).toBe('mine');
    set.apply(put({ id: 1, a: 'mine', version: 2 }));
    expect(set.pendingOf('1')).toEqual([]);
  });

  it('is in every list that was asked for after its answer, and perhaps not in others', () => {
    const { set } = loaded([{ id: 1, version: 1 }]);
    const removal = write({ kind: 'delete', key: '1' });
    const before = set.list();
    set.mutate(acknowledged(removal));
    before([{ id: 1, version: 1 }], false);
    expect(set.rows()).toEqual([]);
    set.list()([{ id: 1, version: 1 }], false);
    expect(set.rows()).toEqual([{ id: 1, version: 1 }]);
  });

  it('puts a record in the place of one that it deleted, without showing that again', () => {
    const { set } = loaded([{ id: 'k', a: 'old', version: 7 }]);
    const removal = write({ kind: 'delete', key: 'k' });
    const creation = write({ kind: 'create', key: 'k', record: { id: 'k', a: 'new' } });
    set.mutate(removal);
    set.mutate(creation);
    set.mutate(acknowledged(removal));
    set.mutate(acknowledged(creation, { id: 'k', a: 'new', version: 1 }));
    expect(set.rows()).toEqual([{ id: 'k', a: 'new', version: 1 }]);
    set.apply(gone('k', 7, removal.id));
    expect(set.rows()).toEqual([{ id: 'k', a: 'new', version: 1 }]);
    set.apply(put({ id: 'k', a: 'new', version: 1 }, { mutation: creation.id }));
    expect(set.rows()).toEqual([{ id: 'k', a: 'new', version: 1 }]);
    expect(set.pendingOf('k')).toEqual([]);
  });

  it('of a record that somebody deleted right after does not bring it back', () => {
    const { set } = loaded([]);
    const creation = write({ kind: 'create', key: 'k', record: { id: 'k' } });
    set.mutate(creation);
    set.apply(put({ id: 'k', version: 1 }));
    set.apply(gone('k', 1));
    set.mutate(acknowledged(creation, { id: 'k', version: 1 }));
    expect(set.rows()).toEqual([]);
  });

  it('that the stream says nothing of is let go of after a while, where nothing shows of its record', () => {
    const { set, shown } = loaded([{ id: 1, version: 1 }], { filters: ['n=gt.0'] });
    const elsewhere = write({ kind: 'patch', key: '9', patch: { n: 1 } });
    const removal = write({ kind: 'delete', key: '8' });
    const unseen = write({ kind: 'create', key: 'j', record: { id: 'j', n: 0 } });
    const creation = write({ kind: 'create', key: 'k', record: { id: 'k', n: 1 } });
    set.mutate(acknowledged(elsewhere, { id: 9, n: 1, version: 4 }));
    set.mutate(acknowledged(removal));
    set.mutate(acknowledged(unseen, { id: 'j', n: 0, version: 1 }));
    const late = set.unshown();
    set.mutate(acknowledged(creation, { id: 'k', n: 1, version: 1 }));
    expect(set.expire(late)).toBe(false);
    expect(shown).toEqual([elsewhere.id, removal.id, unseen.id]);
    expect(set.expire(set.unshown())).toBe(true);
    expect(set.unshown()).toEqual([creation.id]);
    set.list()([{ id: 1, version: 1 }], false);
    expect(set.rows()).toEqual([{ id: 1, version: 1 }]);
    expect(set.unshown()).toEqual([]);
  });

  it('that removed a record is not let go of while another of that key waits, which the old one could take the place of', () => {
    const { set } = loaded([]);
    const removal = write({ kind: 'delete', key: 'k' });
    const creation = write({ kind: 'create', key: 'k', record: { id: 'k', a: 'new' } });
    set.mutate(acknowledged(removal));
    set.mutate(creation);
    expect(set.expire(set.unshown())).toBe(true);
    set.apply(put({ id: 'k', a: 'old', version: 1 }));
    expect(set.rows()).toEqual([{ id: 'k', a: 'new' }]);
  });
});

describe('a created record', () => {
  it('shows under a temporary key until the server has named it', () => {
    const { set } = loaded([{ id: 1, version: 1 }]);
    const first = write({ kind: 'create', record: { a: 'first' } });
    const second = write({ kind: 'create', record: { a: 'second' } });
    set.mutate(first);
    set.mutate(second);
    expect(set.rows().map(({ a }) => a)).toEqual([undefined, 'first', 'second']);
    expect(isTemporaryKey(String(set.rows()[1]?.['id']))).toBe(true);
    expect(set.pendingOf(temporaryKey(first))).toEqual([first]);
    set.mutate(acknowledged(second, { id: 3, a: 'second', version: 1 }));
    expect(set.rows().map(({ a, id }) => (typeof id === 'number' ? id : a))).toEqual([1, 3, 'first']);
    set.apply(put({ id: 2, a: 'first', version: 1 }, { mutation: first.id }));
    expect(set.rows().map(({ id }) => id)).toEqual([1, 2, 3]);
    set.apply(put({ id: 3, a: 'second', version: 1 }, { mutation: second.id }));
    expect(set.rows().map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(set.unshown()).toEqual([]);
  });
});

describe('a filter', () => {
  it('keeps out what is created or changed so that it does not match', () => {
    const { set } = loaded([{ id: 1, s: 'open', version: 1 }], { filters: ['s=eq.open'] });
    set.mutate(write({ kind: 'create', key: '2', record: { id: 2, s: 'done' } }));
    set.mutate(write({ kind: 'create', key: '3', record: { id: 3 } }));
    const done = write({ kind: 'patch', key: '1', patch: { s: 'done' } });
    set.mutate(done);
    expect(set.rows()).toEqual([{ id: 3 }]);
    set.mutate({ ...done, state: 'dead' });
    expect(set.rows().map(({ id }) => id)).toEqual([1, 3]);
  });
});

describe('writes that wait over one that the base does not show', () => {
  it('are not taken for shown by the version of another record of that key', () => {
    const { set } = loaded([{ id: 1, a: 'old', version: 1 }]);
    const replacement = write({ kind: 'replace', key: '1', record: { a: 'new' } });
    const patch = write({ kind: 'patch', key: '1', patch: { b: 'mine' } });
    set.mutate(replacement);
    set.mutate(patch);
    // Somebody deleted the record before it was replaced: it is another one, and the stream is behind.
    set.apply(put({ id: 1, a: 'older still', version: 2 }));
    set.mutate(acknowledged(replacement, { id: 1, a: 'new', version: 1 }));
    set.mutate(acknowledged(patch, { id: 1, a: 'new', b: 'mine', version: 2 }));
    expect(set.rows()).toEqual([{ id: 1, a: 'new', b: 'mine', version: 2 }]);
  });
});

describe('a query with more rows than are kept', () => {
  const rows = [1, 2, 3, 4].map((n) => ({ id: n, n: n * 10, version: 1 }));

  it('shows the first, has successors for those that leave, and says when they run out', () => {
    const { set } = loaded(rows, { order: 'n.asc', limit: 2, room: 4, more: true });
    expect(set.rows().map(({ id }) => id)).toEqual([1, 2]);
    expect(set.more).toBe(true);
    set.apply(gone('1', 1));
    expect(set.rows().map(({ id }) => id)).toEqual([2, 3]);
    set.apply(gone('2', 1));
    expect(set.rows().map(({ id }) => id)).toEqual([3, 4]);
    expect(set.rows()).toHaveLength(2);
    set.apply(gone('3', 1));
    expect(set.rows().map(({ id }) => id)).toEqual([4]);
    expect(set.more).toBe(true);
  });

  it('takes what comes before the end of what is known, and nothing beyond', () => {
    const { set } = loaded(rows, { order: 'n.asc', limit: 10, more: true });
    set.apply(put({ id: 9, n: 99, version: 1 }));
    set.apply(put({ id: 8, n: 25, version: 3 }));
    set.apply(put({ id: 1, n: 77, version: 2 }));
    expect(set.rows().map(({ id }) => id)).toEqual([2, 8, 3, 4]);
  });

  it('lets go of the last when too many have come', () => {
    const { set } = loaded([], { limit: 10, room: 10 });
    for (let id = 0; id < 1200; id += 1) set.apply(put({ id, version: 1 }));
    expect(set.rows()).toHaveLength(10);
    expect(set.more).toBe(true);
    set.apply(put({ id: 11, version: 2 }));
    for (let id = 0; id < 5; id += 1) set.apply(gone(String(id), 1));
    expect(set.rows().map(({ id }) => id)).toEqual([5, 6, 7, 8, 9]);
    expect(set.more).toBe(true);
  });
});
