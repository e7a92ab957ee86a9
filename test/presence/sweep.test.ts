import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PATIENCE_MS, Sweep } from '../../src/presence/sweep.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function system() {
  const state = { away: false, due: undefined as number | undefined };
  const asked: (readonly [name: string, at: number])[] = [];
  const swept: unknown[] = [];
  const faults: unknown[] = [];
  const answer = <Answer>(name: string, more: Answer) => {
    asked.push([name, Date.now()]);
    if (state.away) return Promise.reject(new StoreUnavailable('away'));
    return Promise.resolve({ ...more, due: state.due });
  };
  const begun = Date.now();
  const sweep = new Sweep({
    store: {
      sweep: () => answer('sweep', { heads: [['t', 7] as const] }),
      heads: () => answer('heads', { revisions: [] }),
    },
    onSwept: (heads) => swept.push(...heads),
    onFault: (error) => faults.push(error),
    now: Date.now,
  });
  return { state, asked, swept, faults, sweep, begun, times: () => asked.map(([name, at]) => `${name} ${at - begun}`) };
}

describe('a sweep', () => {
  it('comes just after the first lease has ended, and only then', async () => {
    const { sweep, swept, times } = system();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    sweep.plan({ due: 5000 });
    sweep.plan({ due: 9000 });
    sweep.plan({ due: undefined });
    await vi.advanceTimersByTimeAsync(5000);
    expect(times()).toEqual([]);
    await vi.advanceTimersByTimeAsync(10);
    expect(times()).toEqual([`sweep ${PATIENCE_MS + 5005}`]);
    expect(swept).toEqual([['t', 7]]);
    // Nothing is left that could end.
    await vi.advanceTimersByTimeAsync(600_000);
    expect(times()).toHaveLength(1);
  });

  it('goes on as the store says, but leaves it a pause', async () => {
    const { state, sweep, times } = system();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    state.due = 1000;
    sweep.plan({ due: 0 });
    await vi.advanceTimersByTimeAsync(3100);
    expect(times().map((time) => Number(time.slice(6)) - PATIENCE_MS)).toEqual([5, 1010, 2015, 3020]);
    state.due = -5;
    await vi.advanceTimersByTimeAsync(1100);
    expect(times().length).toBeLessThan(15);
    await sweep.stop();
  });

  it('lets the others speak first when the node has just begun, or the store was away', async () => {
    const { state, asked, sweep, times } = system();
    sweep.plan({ due: -1000 });
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    expect(times()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(times()).toEqual([`sweep ${PATIENCE_MS}`]);
    state.away = true;
    sweep.plan({ due: 100 });
    await vi.advanceTimersByTimeAsync(2000);
    expect(
      new Set(
        times()
          .slice(2)
          .map((time) => time.split(' ')[0]),
      ),
    ).toEqual(new Set(['heads']));
    state.away = false;
    state.due = -1000;
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(300 + PATIENCE_MS);
    const [[first, seenAt], [second, sweptAt]] = asked.slice(before) as [(typeof asked)[0], (typeof asked)[0]];
    expect([first, second]).toEqual(['heads', 'sweep']);
    expect(sweptAt - seenAt).toBe(PATIENCE_MS);
    await sweep.stop();
  });

  it('minds what it learns while it is under way', async () => {
    const { sweep, times } = system();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    sweep.plan({ due: 0 });
    vi.advanceTimersByTime(5);
    sweep.plan({ due: 300 });
    await vi.advanceTimersByTimeAsync(400);
    expect(times()).toHaveLength(2);
    await sweep.stop();
  });

  it('does nothing after its end', async () => {
    const { sweep, times } = system();
    sweep.plan({ due: 0 });
    await sweep.stop();
    sweep.plan({ due: 0 });
    sweep.lostSight();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(times()).toEqual([]);
  });
});
