import { afterEach, describe, expect, it } from 'vitest';
import { createLocalBus } from '../../src/bus/local.ts';
import { Presence } from '../../src/presence/presence.ts';
import type { Watching } from '../../src/presence/topic-watcher.ts';
import type { ControlBatch } from '../../src/protocol/control.ts';
import { createMemoryPresence } from '../../src/store/memory-presence.ts';
import { CHANGES_MS, type PresenceStore } from '../../src/store/presence-store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { until } from '../support/until.ts';

/** A stream that is ready when it is told to be. */
class FakeStream implements Watching {
  ready = true;
  readonly batches: ControlBatch[] = [];
  /** Becomes full after so many more batches. */
  room = Number.POSITIVE_INFINITY;

  presence(batch: ControlBatch): void {
    if (!this.ready) throw new Error('told while it is not ready');
    this.batches.push(batch);
    this.room -= 1;
    if (this.room <= 0) this.ready = false;
  }

  get data(): readonly any[] {
    return this.batches.flatMap(({ controls }) => controls.map(({ data }) => data));
  }

  get told(): readonly string[] {
    return this.data.map(({ change, member, members, more }) =>
      change === 'sync'
        ? `sync ${members.map((each: any) => each.member).join()}${more ? ' …' : ''}`
        : `${change} ${member}`,
    );
  }
}

const open: Presence[] = [];
afterEach(async () => {
  for (const presence of open.splice(0)) await presence.close();
});

function system() {
  const clock = { ahead: 0 };
  const inner = createMemoryPresence(() => Date.now() + clock.ahead);
  const state = { away: false, faults: 0 };
  const store = new Proxy(inner, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...asked: unknown[]) => {
        if (state.away) throw new StoreUnavailable('away');
        return member.apply(target, asked);
      };
    },
  });
  const node = (lookMs = 10) => {
    const presence = new Presence({
      store,
      bus: createLocalBus(),
      schedule: queueMicrotask,
      lookMs,
      onFault: () => {
        state.faults += 1;
      },
    });
    open.push(presence);
    return presence;
  };
  const join = (member: string, state?: unknown, topic = 't', by: Pick<PresenceStore, 'join'> = inner) =>
    by.join({ topic, member, owner: 'o', state: JSON.stringify(state), most: 100_000, ttlMs: 300_000 });
  const leave = (member: string, topic = 't') => inner.leave({ topic, member });
  const watch = (presence: Presence, stream = new FakeStream(), topic = 't') => {
    const watcher = presence.watch(topic);
    watcher.start(stream);
    return { stream, watcher };
  };
  return { clock, inner, state, node, join, leave, watch };
}

const told = (stream: FakeStream, expected: readonly string[]) =>
  expect.poll(() => stream.told, { timeout: 5000 }).toEqual(expected);

describe('watching a topic', () => {
  it('tells all members first, and then each change, of whichever node', async () => {
    const { node, join, leave, watch } = system();
    const presence = node();
    await join('a', 1);
    const { stream } = watch(presence);
    await told(stream, ['sync a']);
    await join('b', 1);
    await join('a', 2, 't', presence);
    await leave('b');
    await told(stream, ['sync a', 'join b', 'update a', 'leave b']);
  });

  it('makes the text of a change, and of a sync, once for all streams', async () => {
    const { node, join, watch } = system();
    const presence = node();
    await join('a');
    const streams = [watch(presence).stream, watch(presence).stream];
    for (const stream of streams) await told(stream, ['sync a']);
    await join('b');
    for (const stream of streams) await told(stream, ['sync a', 'join b']);
    expect(streams[0]!.batches[0]).toBe(streams[1]!.batches[0]);
    expect(streams[0]!.batches[1]).toBe(streams[1]!.batches[1]);
  });

  it('queues nothing for a stream that is not ready: it gets a fresh sync when it is', async () => {
    const { node, join, leave, watch } = system();
    const presence = node();
    await join('a');
    const slow = watch(presence);
    const fast = watch(presence);
    await told(slow.stream, ['sync a']);
    slow.stream.ready = false;
    for (const member of ['b', 'c']) await join(member);
    await leave('a');
    await told(fast.stream, ['sync a', 'join b', 'join c', 'leave a']);
    expect(slow.stream.told).toEqual(['sync a']);
    slow.stream.ready = true;
    slow.watcher.resume();
    await told(slow.stream, ['sync a', 'sync b,c']);
    await join('d');
    await told(slow.stream, ['sync a', 'sync b,c', 'join d']);
    // One that only was full for a moment, and missed nothing, is told nothing again.
    slow.stream.ready = false;
    slow.stream.ready = true;
    slow.watcher.resume();
    expect(slow.stream.told).toHaveLength(3);
  });

  it('tells many members in parts, and waits between them for room', async () => {
    const { node, join, watch } = system();
    const presence = node();
    const large = 'x'.repeat(4000);
    const members = Array.from({ length: 100 }, (_, index) => `m${index}`);
    for (const member of members) await join(member, large);
    const first = watch(presence);
    await until('it has its sync', () => first.stream.data.length > 0 && first.stream.data.at(-1).more !== true);
    const parts = first.stream.data;
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.flatMap((part) => part.members.map(({ member }: any) => member))).toEqual(members);
    for (const part of parts) expect(JSON.stringify(part).length).toBeLessThan(256 * 1024);
    expect(parts.map(({ more }) => more)).toEqual([...Array(parts.length - 1).fill(true), undefined]);

    const slow = new FakeStream();
    slow.room = 1;
    const { watcher } = watch(presence, slow);
    await until('it has the first part', () => slow.batches.length === 1);
    await join('late');
    await expect.poll(() => first.stream.told.at(-1)).toBe('join late');
    const goOn = () => {
      slow.ready = true;
      slow.room = 1;
      watcher.resume();
    };
    for (let step = 1; step < parts.length; step += 1) goOn();
    // The sync that was under way is whole, and as it was when it began; what has changed meanwhile is in the next.
    expect(slow.data).toEqual(parts);
    for (let step = 0; step < parts.length; step += 1) goOn();
    const again = slow.data.slice(parts.length).flatMap(({ members: part }) => part.map(({ member }: any) => member));
    expect(again).toEqual([...members, 'late']);
    goOn();
    expect(slow.data).toHaveLength(parts.length * 2);
    // The bytes of a large sync stay with nobody.
    expect(slow.batches[0]).not.toBe(first.stream.batches[0]);
  });

  it('waits while the store is away, and then tells what came meanwhile', async () => {
    const { state, node, join, leave, watch } = system();
    const presence = node();
    await join('a');
    const { stream } = watch(presence);
    await told(stream, ['sync a']);
    state.away = true;
    const late = watch(presence);
    const other = watch(node(), new FakeStream());
    await join('b');
    await leave('a');
    await until('it has been away for some looks', async () => {
      await presence.lookNow();
      return true;
    });
    expect(stream.told).toEqual(['sync a']);
    expect(other.stream.told).toEqual([]);
    state.away = false;
    await told(stream, ['sync a', 'join b', 'leave a']);
    await told(other.stream, ['sync b']);
    expect(late.stream.told[0]).toBe('sync a');
    expect(state.faults).toBe(0);
  });

  it('reads the list, and tells what differs, when the changes are forgotten', async () => {
    const { clock, inner, state, node, join, leave, watch } = system();
    const presence = node();
    for (const member of ['stays', 'changes', 'goes', 'returns']) await join(member, 1);
    const { stream } = watch(presence);
    await told(stream, ['sync stays,changes,goes,returns']);
    state.away = true;
    await join('changes', 2);
    await leave('goes');
    await leave('returns');
    clock.ahead += CHANGES_MS + 1000;
    await join('returns', 1);
    await join('comes', 1);
    await inner.prune();
    state.away = false;
    await expect.poll(() => stream.told.length, { timeout: 5000 }).toBe(6);
    expect(stream.told.slice(1)).toEqual([
      'leave goes',
      'leave returns',
      'update changes',
      'join returns',
      'join comes',
    ]);
  });

  it('is not put off by a topic that was forgotten, nor by word of what is not there', async () => {
    const { clock, inner, node, join, leave, watch } = system();
    const presence = node();
    await join('a');
    const { stream } = watch(presence);
    await told(stream, ['sync a']);
    await leave('a');
    await told(stream, ['sync a', 'leave a']);
    clock.ahead += CHANGES_MS + 1000;
    await inner.prune();
    expect((await inner.heads(['t'])).revisions).toEqual([0]);
    await presence.lookNow();
    await join('b');
    await told(stream, ['sync a', 'leave a', 'join b']);
  });

  it('ends with the stream, and leaves nothing behind', async () => {
    const { node, join, watch } = system();
    const presence = node();
    const one = watch(presence);
    const other = watch(presence);
    await told(one.stream, ['sync ']);
    one.watcher.close();
    one.watcher.close();
    expect(presence.gauges.topics).toBe(1);
    await join('a');
    await told(other.stream, ['sync ', 'join a']);
    expect(one.stream.told).toEqual(['sync ']);
    other.watcher.close();
    expect(presence.gauges.topics).toBe(0);
    const unstarted = presence.watch('t');
    unstarted.close();
    unstarted.start(new FakeStream());
    expect(presence.gauges.topics).toBe(0);
  });
});
