import { beforeEach, describe, expect, it } from 'vitest';
import type { Mutation } from '../../../src/client/mutation.ts';
import { type Collection, type CollectionOptions, openCollection } from '../../../src/client/records/collection.ts';
import type { Invalidation } from '../../../src/client/records/invalidations.ts';
import { LINGER_MS } from '../../../src/client/records/live-query.ts';
import { temporaryKey } from '../../../src/client/records/record-key.ts';
import { contextOf, FakeOutbox, FakeServer, FakeTime, settled } from './fake-server.ts';

let server: FakeServer;
let outbox: FakeOutbox;
let time: FakeTime;
let things: Collection<Mutation>;

function open(options: CollectionOptions = {}): Collection<Mutation> {
  return openCollection('things', options, { ...contextOf(server, outbox, time), outbox });
}

beforeEach(() => {
  server = new FakeServer();
  outbox = new FakeOutbox();
  time = new FakeTime();
  things = open();
  for (const key of ['a', 'b']) server.write(key, { n: 1 });
});

describe('the queries of a collection', () => {
  it('are shared by those who ask for the same, in whatever order they name the filters', () => {
    const query = things.query({ filter: ['n=eq.1', 'm=eq.2'], order: 'n.desc', limit: 5 });
    expect(things.query({ filter: ['m=eq.2', 'n=eq.1'], order: 'n.desc', limit: 5 })).toBe(query);
    expect(things.query({ filter: ['m=eq.2', 'n=eq.1'], order: 'n.desc' })).not.toBe(query);
    expect(things.query()).toBe(things.query({ filter: [] }));
  });

  it('are forgotten when nobody listens any more', async () => {
    const query = things.query();
    query.subscribe(() => {})();
    await time.pass(LINGER_MS);
    expect(things.query()).not.toBe(query);
  });

  it('are forgotten when nobody ever listens and there are very many, but never those that run', () => {
    const running = things.query({ limit: 1 });
    const stop = running.subscribe(() => {});
    const idle = things.query({ limit: 2 });
    for (let limit = 3; limit < 200; limit += 1) things.query({ limit });
    expect(things.query({ limit: 1 })).toBe(running);
    expect(things.query({ limit: 2 })).not.toBe(idle);
    stop();
  });

  it('of one record show that record only', async () => {
    const query = things.record('b');
    query.subscribe(() => {});
    outbox.enqueue({ kind: 'create', collection: 'things', key: 'c', record: { id: 'c', n: 1 } });
    await server.serve();
    expect(query.getSnapshot().rows).toEqual([{ id: 'b', n: 1, version: 1 }]);
  });

  it('name records of several fields by all of them', () => {
    const composed = open({ key: ['shop', 'no'] });
    composed.record('a%2Cb,7').subscribe(() => {});
    expect(server.asked[0]?.query.getAll('filter')).toEqual(['shop=eq.a,b', 'no=eq.7']);
    expect(composed.keyOf({ shop: 'a,b', no: 7 })).toBe('a%2Cb,7');
    expect(composed.keyOf({ shop: 'a,b' })).toBeUndefined();
  });
});

describe('writes', () => {
  it('start from the version that shows, and say so', async () => {
    things.query().subscribe(() => {});
    await server.serve();
    server.write('a', { n: 2 });
    server.stream.all();
    expect(things.update('a', { n: 3 }).write).toEqual({
      kind: 'patch',
      collection: 'things',
      key: 'a',
      patch: { n: 3 },
      base: 2,
    });
    expect(things.update('a', { n: 3 }, { base: 1 }).write).toMatchObject({ base: 1 });
    expect(things.update('a', { n: 3 }, { base: false }).write).toMatchObject({ base: undefined });
    expect(things.update('unknown', { n: 3 }).write).toMatchObject({ base: undefined });
    expect(things.replace('b', { n: 3 }).write).toMatchObject({ kind: 'replace', key: 'b', version: 1 });
    expect(things.remove('b').write).toMatchObject({ kind: 'delete', key: 'b', version: undefined });
    expect(things.remove('b', { base: 4 }).write).toMatchObject({ version: 4 });
  });

  it('that replace a record which own writes will have changed do not ask for its version', async () => {
    things.query().subscribe(() => {});
    await server.serve();
    const first = things.update('a', { n: 3 });
    expect(things.pendingOf('a')).toEqual([first]);
    expect(things.replace('a', { n: 4 }).write).toMatchObject({ version: undefined });
  });

  it('that create name the key where the record has it', () => {
    expect(things.create({ id: 7, n: 1 }).write).toEqual({
      kind: 'create',
      collection: 'things',
      key: '7',
      record: { id: 7, n: 1 },
    });
    expect(things.create({ n: 1 }).write).toMatchObject({ key: undefined });
  });

  it('of a record that the server has not named yet are a fault', () => {
    const key = temporaryKey(things.create({ n: 1 }));
    expect(() => things.update(key, { n: 2 })).toThrow(TypeError);
    expect(() => things.replace(key, { n: 2 })).toThrow(TypeError);
    expect(() => things.remove(key)).toThrow(TypeError);
  });
});

describe('invalidations', () => {
  it('name what changed, once a turn, and everything when changes may have been missed', async () => {
    const told: (readonly Invalidation[])[] = [];
    const end = things.onInvalidate((records) => told.push(records));
    expect(server.stream.options).toEqual({});
    server.stream.become({ kind: 'live' });
    await settled();
    expect(told).toEqual([[{ collection: 'things', key: undefined, why: 'missed' }]]);
    server.stream.become({ kind: 'waiting' });
    server.stream.become({ kind: 'live' });
    server.write('a', { n: 2 });
    server.write('b', undefined);
    server.write('c', { n: 1 });
    server.write('a', { n: 3 });
    server.stream.all();
    expect(told).toHaveLength(1);
    await settled();
    expect(told[1]).toEqual([
      { collection: 'things', key: 'a', why: 'update' },
      { collection: 'things', key: 'b', why: 'delete' },
      { collection: 'things', key: 'c', why: 'insert' },
    ]);
    server.write('a', { n: 4 });
    server.stream.all();
    server.stream.gap();
    await settled();
    expect(told[2]).toEqual([{ collection: 'things', key: undefined, why: 'missed' }]);
    end();
    expect(server.stream.isOpen).toBe(false);
  });

  it('name no record when there are too many', async () => {
    const counts: number[] = [];
    const ends = [1, 2].map(() => things.onInvalidate((records) => counts.push(records.length)));
    for (let n = 0; n < 1001; n += 1) server.write(`k${n}`, { n });
    for (const stream of server.streams) stream.all();
    await settled();
    expect(counts).toEqual([1, 1]);
    server.write('a', undefined);
    for (const stream of server.streams) stream.all();
    for (const end of ends) end();
    await settled();
    expect(counts).toEqual([1, 1]);
  });
});
