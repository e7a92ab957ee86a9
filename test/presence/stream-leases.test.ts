import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GRACE_MS, StreamLeases } from '../../src/presence/stream-leases.ts';
import type { BoundLease, EndedStream } from '../../src/store/presence-store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const lease = (stream: string, ttlMs = 30_000, topic = 't'): BoundLease => ({ stream, topic, member: 'm', ttlMs });

function system() {
  const state = { away: false, delayMs: 0 };
  const leases: BoundLease[] = [];
  const kept: (readonly string[])[] = [];
  const released: EndedStream[] = [];
  const uncovered: BoundLease[] = [];
  const dues: number[] = [];
  let aways = 0;
  const answer = async <Answer>(make: () => Answer): Promise<Answer> => {
    if (state.away) throw new StoreUnavailable('away');
    const made = make();
    if (state.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, state.delayMs));
    return made;
  };
  const streams = new StreamLeases({
    store: {
      keepAlive: (asked) =>
        answer(() => {
          kept.push(asked);
          return leases.filter(({ stream }) => asked.includes(stream));
        }),
      release: (ended) => answer(() => void released.push(...ended)),
    },
    onUncovered: async (each) => void uncovered.push(each),
    onReleased: (ms) => dues.push(ms),
    onAway: () => {
      aways += 1;
    },
    onFault: (error) => {
      throw error;
    },
    now: Date.now,
  });
  return { state, leases, kept, released, uncovered, dues, streams, aways: () => aways };
}

describe('the leases of streams', () => {
  it('are renewed in a third of their ttl, many streams in one statement', async () => {
    const { leases, kept, streams } = system();
    for (let index = 0; index < 2500; index += 1) {
      leases.push(lease(`s${index}`));
      streams.bind(`s${index}`);
    }
    await vi.advanceTimersByTimeAsync(1000);
    expect(kept.map((each) => each.length)).toEqual([1000, 1000, 500]);
    await vi.advanceTimersByTimeAsync(9000);
    expect(kept).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(1100);
    expect(kept.map((each) => each.length)).toEqual([1000, 1000, 500, 1000, 1000, 500]);
    await streams.close();
  });

  it('are renewed as the shortest of a stream asks', async () => {
    const { leases, kept, streams } = system();
    leases.push(lease('s'), lease('s', 6000, 'u'));
    streams.bind('s');
    await vi.advanceTimersByTimeAsync(1000 + 2000 * 5 + 50);
    expect(kept).toHaveLength(6);
    await streams.close();
  });

  it('are looked after no more when a stream has none', async () => {
    const { leases, kept, streams } = system();
    streams.bind('s');
    expect(streams.size).toBe(1);
    await vi.advanceTimersByTimeAsync(1100);
    expect(streams.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    leases.push(lease('s'));
    streams.bind('s');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kept.length).toBeGreaterThan(5);
    await streams.close();
  });

  it('are not lost sight of when they are bound while the store is asked', async () => {
    const { state, leases, streams } = system();
    state.delayMs = 500;
    streams.bind('s');
    await vi.advanceTimersByTimeAsync(1200);
    leases.push(lease('s'));
    streams.bind('s');
    await vi.advanceTimersByTimeAsync(5000);
    expect(streams.size).toBe(1);
    await streams.close();
  });

  it('are let go when their stream ends, together, after the grace', async () => {
    const { released, dues, streams } = system();
    for (const stream of ['a', 'b']) streams.bind(stream);
    streams.ended('a', GRACE_MS);
    streams.ended('b', 15_000);
    streams.ended('never bound', GRACE_MS);
    await vi.advanceTimersByTimeAsync(20);
    expect(released).toEqual([
      // A sign of life just before the end may be one that came after it.
      { stream: 'a', agoMs: 60, graceMs: GRACE_MS - 10 },
      { stream: 'b', agoMs: 60, graceMs: 14_990 },
    ]);
    expect(dues).toEqual([GRACE_MS - 10]);
    expect(streams.size).toBe(0);
  });

  it('count what was renewed here just before the end as before it', async () => {
    const { leases, released, streams } = system();
    leases.push(lease('s'));
    streams.bind('s');
    await vi.advanceTimersByTimeAsync(1000);
    await vi.advanceTimersByTimeAsync(20);
    streams.ended('s', GRACE_MS);
    await vi.advanceTimersByTimeAsync(10);
    expect(released).toEqual([{ stream: 's', agoMs: 30, graceMs: GRACE_MS - 10 }]);
    streams.release('s', GRACE_MS);
    await vi.advanceTimersByTimeAsync(10);
    expect(released[1]).toEqual({ stream: 's', agoMs: 10, graceMs: GRACE_MS - 10 });
  });

  it('count a renewal that was under way as one before the end', async () => {
    const { state, leases, released, streams } = system();
    leases.push(lease('s'));
    streams.bind('s');
    state.delayMs = 500;
    await vi.advanceTimersByTimeAsync(1100);
    streams.ended('s', GRACE_MS);
    await vi.advanceTimersByTimeAsync(2000);
    expect(released).toEqual([{ stream: 's', agoMs: expect.any(Number), graceMs: expect.any(Number) }]);
    expect(released[0]!.agoMs).toBeLessThan(300);
    expect(released[0]!.graceMs).toBeLessThan(GRACE_MS - 300);
    await streams.close();
  });

  it('are tried again while the store is away, and the grace goes on', async () => {
    const { state, leases, kept, released, streams, aways } = system();
    leases.push(lease('stays', 6000));
    for (const stream of ['stays', 'goes']) streams.bind(stream);
    await vi.advanceTimersByTimeAsync(900);
    state.away = true;
    streams.ended('goes', GRACE_MS);
    await vi.advanceTimersByTimeAsync(7000);
    expect(kept).toEqual([]);
    expect(aways()).toBeGreaterThan(10);
    state.away = false;
    await vi.advanceTimersByTimeAsync(600);
    expect(released).toEqual([{ stream: 'goes', agoMs: expect.any(Number), graceMs: 0 }]);
    expect(kept).toEqual([['stays']]);
    await streams.close();
  });

  it('end where another token of the stream does not cover them, once', async () => {
    const { leases, uncovered, streams } = system();
    leases.push(lease('s', 30_000, 'mine'), lease('s', 30_000, 'other'));
    streams.bind('s');
    await vi.advanceTimersByTimeAsync(1100);
    streams.renewed('s', (topic) => topic === 'mine');
    streams.renewed('never bound', () => false);
    await vi.advanceTimersByTimeAsync(100);
    expect(uncovered).toEqual([leases[1]]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(uncovered).toHaveLength(1);
    await streams.close();
  });

  it('are told of at the end of the node, if the store is there', async () => {
    const { state, released, streams } = system();
    for (const stream of ['a', 'b']) streams.bind(stream);
    for (const stream of ['a', 'b']) streams.ended(stream, 15_000);
    await streams.close();
    expect(released.map(({ stream }) => stream)).toEqual(['a', 'b']);
    state.away = true;
    const other = system();
    other.state.away = true;
    other.streams.bind('c');
    other.streams.ended('c', 15_000);
    await other.streams.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(other.released).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
