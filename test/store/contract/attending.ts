import { expect, it } from 'vitest';
import {
  CHANGES_MS,
  type Join,
  type Joined,
  type PresenceChange,
  type PresenceStore,
} from '../../../src/store/presence-store.ts';
import { pause } from '../../support/until.ts';
import type { Harness } from '../contract.ts';
import { freshTopic } from './log.ts';

const MINUTE = 60_000;

export function attending(harness: Harness): void {
  const presenceOf = (node: 0 | 1): PresenceStore => harness().nodes[node].presence!;
  const ask = (topic: string, member: string, more: Partial<Join> = {}): Join => ({
    topic,
    member,
    owner: 'ada',
    most: 100,
    ...more,
  });
  const join = async (topic: string, member: string, more: Partial<Join> = {}, node: 0 | 1 = 0) => {
    const joined = await presenceOf(node).join(ask(topic, member, more));
    if (joined.kind !== 'joined') throw new Error(joined.kind);
    return joined;
  };
  const membersOf = async (topic: string) => (await presenceOf(1).list(topic)).leases.map(({ member }) => member);
  const live = async (topic: string) => {
    const { leases, now } = await presenceOf(1).list(topic);
    return leases.filter(({ expires }) => expires > now).map(({ member }) => member);
  };
  /** All changes of a topic after a revision, which must not be forgotten. */
  const changesOf = async (topic: string, after: number, limit = 1000): Promise<readonly PresenceChange[]> => {
    const { changes, forgotten } = await presenceOf(1).changes(topic, after, limit);
    expect(forgotten).toBe(false);
    return changes;
  };
  const told = (changes: readonly PresenceChange[]) => changes.map(({ change, member }) => `${change} ${member}`);
  /** Begins a topic, and gives the revision at which it began. */
  const begin = async (topic: string) => (await join(topic, 'first')).revision ?? 0;

  it('knows nothing of a topic where nobody ever was', async () => {
    const topic = freshTopic('t');
    expect(await presenceOf(0).list(topic)).toMatchObject({ revision: 0, leases: [] });
    expect(await presenceOf(0).changes(topic, 0, 10)).toMatchObject({ revision: 0, forgotten: false, changes: [] });
    expect((await presenceOf(0).heads([topic])).revisions).toEqual([0]);
    expect(await presenceOf(0).leave({ topic, member: 'a', owner: 'ada' })).toEqual({ kind: 'absent' });
  });

  it('gives a lease back as it was joined, on every node', async () => {
    const topic = freshTopic('t');
    const before = harness().now();
    const state = `{"a":1e400,"b":"\\u0000 'x' \\"🎈\\""}`;
    const { lease, revision } = await join(topic, `m'"\\ 🎈 ,{}`, { state, ttlMs: MINUTE });
    expect(lease).toMatchObject({ member: `m'"\\ 🎈 ,{}`, state, seen: lease.since, expires: lease.since + MINUTE });
    expect(lease.since).toBeGreaterThanOrEqual(before - 1000);
    const list = await presenceOf(1).list(topic);
    expect(list).toMatchObject({ revision, leases: [lease] });
    expect(list.due).toBeLessThanOrEqual(MINUTE);
  });

  it('gives a new lease no state and 45 seconds, and keeps what a renewal does not name', async () => {
    const topic = freshTopic('t');
    const { lease } = await join(topic, 'a');
    expect(lease.state).toBe('null');
    expect(lease.expires - lease.seen).toBe(45_000);
    await join(topic, 'a', { state: '"busy"', ttlMs: MINUTE });
    await harness().age(10_000);
    const renewed = (await join(topic, 'a', {}, 1)).lease;
    expect(renewed.state).toBe('"busy"');
    expect(renewed.expires - renewed.seen).toBe(MINUTE);
    expect(renewed.seen - renewed.since).toBeGreaterThanOrEqual(10_000);
  });

  it('counts joins, updates and leaves as changes, and renewals not', async () => {
    const topic = freshTopic('t');
    const first = await begin(topic);
    const a = await join(topic, 'a', { state: '1' });
    expect((await join(topic, 'a', { state: '1' })).revision).toBeUndefined();
    expect((await join(topic, 'a', { ttlMs: MINUTE })).revision).toBeUndefined();
    await join(topic, 'a', { state: '2' }, 1);
    await join(topic, 'b', { state: '3' });
    const left = await presenceOf(1).leave({ topic, member: 'a', owner: 'ada' });
    const changes = await changesOf(topic, first);
    expect(changes).toMatchObject([
      { change: 'join', member: 'a', state: '1', since: a.lease.since, revision: a.revision },
      { change: 'update', member: 'a', state: '2', since: a.lease.since },
      { change: 'join', member: 'b', state: '3' },
      { change: 'leave', member: 'a', state: null, since: a.lease.since },
    ]);
    const revisions = changes.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => one - other));
    expect(left).toEqual({ kind: 'left', revision: revisions.at(-1) });
    expect((await presenceOf(0).heads([topic, freshTopic('t')])).revisions).toEqual([revisions.at(-1), 0]);
    const { revisions: none, due } = await presenceOf(1).heads([]);
    expect(none).toEqual([]);
    expect(due).toBeLessThanOrEqual(MINUTE);
    expect(told(await changesOf(topic, revisions[1]!))).toEqual(['join b', 'leave a']);
    expect(told(await changesOf(topic, first, 2))).toEqual(['join a', 'update a']);
    expect(await membersOf(topic)).toEqual(['first', 'b']);
  });

  it('keeps a live lease for its owner', async () => {
    const topic = freshTopic('t');
    await join(topic, 'a', { state: '1' });
    expect(await presenceOf(1).join(ask(topic, 'a', { owner: 'bob', state: '1' }))).toEqual({ kind: 'taken' });
    expect(await presenceOf(1).join(ask(topic, 'a', { owner: 'bob' }))).toEqual({ kind: 'taken' });
    expect(await presenceOf(1).leave({ topic, member: 'a', owner: 'bob' })).toEqual({ kind: 'taken' });
    expect((await presenceOf(1).leave({ topic, member: 'a' })).kind).toBe('left');
    expect(await presenceOf(1).leave({ topic, member: 'a', owner: 'ada' })).toEqual({ kind: 'absent' });
    await join(topic, 'a', { owner: 'bob' });
  });

  it('takes a lease that has expired for none: its end is told, and its name is free', async () => {
    const topic = freshTopic('t');
    const first = await begin(topic);
    for (const member of ['a', 'b', 'c']) await join(topic, member, { ttlMs: MINUTE, state: '1', stream: `s${topic}` });
    await harness().age(MINUTE);
    expect(await live(topic)).toEqual([]);
    const taken = await join(topic, 'a', { owner: 'bob' });
    expect(taken.lease.state).toBe('null');
    const again = await join(topic, 'b');
    expect(again.lease.expires - again.lease.seen).toBe(45_000);
    expect(again.lease.seen).toBe(again.lease.since);
    expect((await presenceOf(0).leave({ topic, member: 'c', owner: 'bob' })).kind).toBe('absent');
    const changes = (await changesOf(topic, first)).slice(3);
    expect(told(changes)).toEqual(['leave a', 'join a', 'leave b', 'join b', 'leave c']);
    // The bond to the stream went with the old lease.
    expect(await presenceOf(0).keepAlive([`s${topic}`])).toEqual([]);
  });

  it('lives to the last millisecond, and not one longer', async () => {
    const topic = freshTopic('t');
    const { lease } = await join(topic, 'a', { ttlMs: MINUTE });
    await harness().age(MINUTE - 5000);
    expect(await live(topic)).toEqual(['a']);
    await presenceOf(0).sweep();
    expect(await membersOf(topic)).toEqual(['a']);
    await harness().age(5000);
    const { now, leases } = await presenceOf(1).list(topic);
    expect(leases[0]!.expires).toBeLessThanOrEqual(now);
    expect(lease.expires - lease.seen).toBe(MINUTE);
  });

  it('sweeps what has expired, once, whoever tries, in the order of the ends', async () => {
    const topic = freshTopic('t');
    const first = await begin(topic);
    await join(topic, 'c', { ttlMs: 2000 });
    await join(topic, 'a', { ttlMs: 1000 });
    await join(topic, 'b', { ttlMs: 5 * MINUTE });
    await harness().age(MINUTE);
    const sweeps = await Promise.all([0, 1, 0, 1].map((node) => presenceOf(node as 0 | 1).sweep()));
    const heads = sweeps.flatMap(({ heads }) => heads).filter(([name]) => name === topic);
    const changes = await changesOf(topic, first);
    expect(told(changes).slice(3)).toEqual(['leave a', 'leave c', 'leave first']);
    expect(heads).toEqual([[topic, changes.at(-1)!.revision]]);
    expect(await membersOf(topic)).toEqual(['b']);
    for (const { due } of sweeps) expect(due).toBeLessThanOrEqual(5 * MINUTE);
  });

  it('holds a topic to its members, counting none that has ended', async () => {
    const topic = freshTopic('t');
    const most = 2;
    await join(topic, 'a', { most, ttlMs: 1000 });
    await join(topic, 'b', { most, ttlMs: MINUTE });
    expect(await presenceOf(1).join(ask(topic, 'c', { most }))).toEqual({ kind: 'full' });
    await join(topic, 'b', { most, state: '2' }, 1);
    await harness().age(1000);
    const c = await join(topic, 'c', { most }, 1);
    expect(told(await changesOf(topic, c.revision! - 2)).slice(-2)).toEqual(['leave a', 'join c']);
    expect(await presenceOf(0).join(ask(topic, 'd', { most }))).toEqual({ kind: 'full' });
    await presenceOf(0).leave({ topic, member: 'b', owner: 'ada' });
    await join(topic, 'd', { most });
    expect(await membersOf(topic)).toEqual(['c', 'd']);
  });

  it('renews the leases of streams together, and tells which they are', async () => {
    const [topic, other] = [freshTopic('t'), freshTopic('u')];
    const [mine, yours] = [`${topic}:mine`, `${topic}:yours`];
    await join(topic, 'a', { stream: mine, ttlMs: MINUTE });
    await join(other, 'b', { stream: mine });
    await join(topic, 'c', { stream: yours, ttlMs: MINUTE });
    await join(topic, 'd', { ttlMs: MINUTE });
    // A renewal that names no stream leaves the bond as it is; one that names another moves it.
    await join(topic, 'a', {}, 1);
    await join(other, 'e', { stream: yours });
    await join(other, 'e', { stream: mine });
    await harness().age(30_000);
    const kept = await presenceOf(1).keepAlive([mine, `${topic}:nobody`]);
    expect(kept.toSorted((one, two) => one.member.localeCompare(two.member))).toEqual([
      { stream: mine, topic, member: 'a', ttlMs: MINUTE },
      { stream: mine, topic: other, member: 'b', ttlMs: 45_000 },
      { stream: mine, topic: other, member: 'e', ttlMs: 45_000 },
    ]);
    await harness().age(30_000);
    expect(await live(topic)).toEqual(['a']);
    expect(await live(other)).toEqual(['b', 'e']);
  });

  it('brings back a lease of a living stream that nobody has swept yet', async () => {
    const topic = freshTopic('t');
    const first = await begin(topic);
    await join(topic, 'a', { stream: topic, ttlMs: 20_000 });
    await harness().age(20_000);
    expect(await presenceOf(0).keepAlive([topic])).toHaveLength(1);
    await presenceOf(1).sweep();
    expect(await live(topic)).toEqual(['first', 'a']);
    expect(told(await changesOf(topic, first))).toEqual(['join a']);
  });

  it('lets the leases of a stream that has ended live for the grace, unless somebody renews them', async () => {
    const topic = freshTopic('t');
    for (const member of ['a', 'b', 'c', 'd'])
      await join(topic, member, { stream: `${topic}:1`, ttlMs: member === 'd' ? 3000 : MINUTE });
    await presenceOf(1).release([{ stream: `${topic}:1`, agoMs: 0, graceMs: 5000 }]);
    await join(topic, 'b', { stream: `${topic}:2` }, 1);
    await join(topic, 'c', {}, 1);
    expect(await presenceOf(0).keepAlive([`${topic}:1`])).toEqual([]);
    const { due } = await presenceOf(0).list(topic);
    expect(due).toBeLessThanOrEqual(5000);
    await harness().age(3000);
    expect(await live(topic)).toEqual(['a', 'b', 'c']);
    await harness().age(2000);
    expect(await live(topic)).toEqual(['b', 'c']);
    await presenceOf(1).release([{ stream: `${topic}:2`, agoMs: 0, graceMs: 0 }]);
    expect(await live(topic)).toEqual(['c']);
    // Word that comes late does not shorten what was renewed meanwhile.
    await join(topic, 'e', { stream: `${topic}:3` });
    await harness().age(10_000);
    await join(topic, 'e');
    await presenceOf(0).release([{ stream: `${topic}:3`, agoMs: 8000, graceMs: 0 }]);
    expect(await live(topic)).toEqual(['c', 'e']);
    expect(await presenceOf(0).keepAlive([`${topic}:3`])).toEqual([]);
  });

  it('forgets old changes, and says so to whoever is behind them', async () => {
    const topic = freshTopic('t');
    const first = await begin(topic);
    await join(topic, 'a');
    await harness().age(CHANGES_MS + 1000);
    const b = await join(topic, 'b', { ttlMs: 5 * MINUTE });
    await presenceOf(0).prune();
    expect(await presenceOf(1).changes(topic, first, 100)).toMatchObject({ forgotten: true, changes: [] });
    expect((await presenceOf(1).changes(topic, b.revision!, 100)).forgotten).toBe(false);
    expect((await presenceOf(1).changes(topic, b.revision! + 1, 100)).forgotten).toBe(true);
  });

  it('forgets a topic that nobody is at, and begins it again above what it was', async () => {
    const topic = freshTopic('t');
    const { revision } = await join(topic, 'a');
    await presenceOf(0).leave({ topic, member: 'a', owner: 'ada' });
    await harness().age(CHANGES_MS + 1000);
    await presenceOf(0).prune();
    expect(await presenceOf(1).list(topic)).toMatchObject({ revision: 0, leases: [] });
    expect((await presenceOf(1).changes(topic, revision! + 1, 100)).forgotten).toBe(true);
    const again = await join(topic, 'a');
    expect(again.revision).toBeGreaterThan(revision! + 1);
    for (const known of [0, revision!, revision! + 1])
      expect((await presenceOf(1).changes(topic, known, 100)).forgotten, `${known}`).toBe(true);
  });

  it('has the same members by its list and by its changes, however many write at once', async () => {
    const topic = freshTopic('t');
    let position = await begin(topic);
    const believed = new Map<string, string>([['first', 'null']]);
    let writing = true;
    const reading = (async () => {
      for (let last = false; !last; ) {
        // A database in this process answers without a turn of the event loop, which the writers need.
        await pause(1);
        last = !writing;
        for (const { change, member, state, revision } of await changesOf(topic, position, 7)) {
          expect(revision).toBeGreaterThan(position);
          position = revision;
          expect(believed.has(member), `${change} ${member}`).toBe(change !== 'join');
          if (change === 'leave') believed.delete(member);
          else believed.set(member, state ?? '');
          last = false;
        }
      }
    })();
    const write = async (node: 0 | 1, seed: number) => {
      for (let index = 0; index < 40; index += 1) {
        const member = `m${(index * seed) % 7}`;
        if (index % 5 === seed % 5) await presenceOf(node).leave({ topic, member, owner: 'ada' });
        else await presenceOf(node).join(ask(topic, member, { state: `${index % 3}`, ttlMs: MINUTE }));
        if (index % 10 === 0) await presenceOf(node).sweep();
      }
    };
    await Promise.all([write(0, 3), write(1, 5), write(0, 11), write(1, 13)]);
    writing = false;
    await reading;
    const { leases, revision } = await presenceOf(0).list(topic);
    expect(position).toBe(revision);
    expect(new Map(leases.map(({ member, state }) => [member, state]))).toEqual(believed);
  });

  it('answers each of many that join at once', async () => {
    const topic = freshTopic('t');
    const most = 1000;
    const ofAll = (count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          presenceOf((index % 2) as 0 | 1).join(ask(topic, `m${index % 600}`, { most, state: `${index % 600}` })),
        ),
      );
    const joined = await ofAll(1200);
    expect(joined.map((each: Joined) => (each.kind === 'joined' ? each.lease.state : each.kind))).toEqual(
      Array.from({ length: 1200 }, (_, index) => `${index % 600}`),
    );
    expect((await presenceOf(0).list(topic)).leases).toHaveLength(600);
  });
}
