import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Due, TimerWheel } from '../../src/delivery/timer-wheel.ts';

describe('the timer wheel', () => {
  let wheel: TimerWheel;
  let faults: unknown[];
  let looks: string[];
  beforeEach(() => {
    vi.useFakeTimers();
    faults = [];
    looks = [];
    wheel = new TimerWheel((error) => faults.push(error));
  });
  afterEach(() => {
    wheel.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  const item = (name: string, next: (tick: number) => number | undefined = () => undefined): Due => ({
    onDue(tick) {
      looks.push(`${name}@${tick}`);
      return next(tick);
    },
  });
  const seconds = (count: number) => vi.advanceTimersByTime(count * 1000);

  it('looks at an item at its tick, once, and again when it asks for it', () => {
    wheel.schedule(item('once'), 3);
    wheel.schedule(
      item('often', (tick) => (tick < 8 ? tick + 3 : undefined)),
      2,
    );
    seconds(20);
    expect(looks).toEqual(['often@2', 'once@3', 'often@5', 'often@8']);
  });

  it('looks at the next tick at what is due already, never in the same one', () => {
    seconds(5);
    wheel.schedule(item('late'), 2);
    wheel.schedule(
      item('again', (tick) => (tick < 8 ? tick - 5 : undefined)),
      5,
    );
    seconds(5);
    expect(looks).toEqual(['late@6', 'again@6', 'again@7', 'again@8']);
  });

  it('forgets an earlier wish of the same item, and one that is cancelled', () => {
    const moved = item('moved');
    const cancelled = item('cancelled');
    wheel.schedule(moved, 2);
    wheel.schedule(moved, 4);
    wheel.schedule(cancelled, 3);
    wheel.cancel(cancelled);
    wheel.cancel(cancelled);
    seconds(10);
    expect(looks).toEqual(['moved@4']);
  });

  it('does not look at an item that another one cancels in the same tick', () => {
    const victim = item('victim');
    wheel.schedule(
      item('first', () => {
        wheel.cancel(victim);
        return undefined;
      }),
      2,
    );
    wheel.schedule(victim, 2);
    seconds(5);
    expect(looks).toEqual(['first@2']);
  });

  it('goes on after a fault, and reports it', () => {
    const fault = new Error('broken');
    wheel.schedule(
      item('broken', () => {
        throw fault;
      }),
      2,
    );
    wheel.schedule(item('next'), 2);
    seconds(5);
    expect(looks).toEqual(['broken@2', 'next@2']);
    expect(faults).toEqual([fault]);
  });

  it('follows the clock when the timer is late, and looks once at what was missed, in order', () => {
    wheel.schedule(
      item('b', (tick) => tick + 1),
      9,
    );
    wheel.schedule(item('a'), 4);
    vi.setSystemTime(Date.now() + 3_600_000);
    seconds(1);
    expect(looks).toEqual(['a@3601', 'b@3601']);
    expect(wheel.now).toBe(3601);
    seconds(1);
    expect(looks.at(-1)).toBe('b@3602');
  });

  it('goes on when the clock is set back, and reckons times anew', () => {
    seconds(10);
    vi.setSystemTime(Date.now() - 3_600_000);
    wheel.schedule(item('soon'), wheel.now + 3);
    seconds(5);
    expect(looks).toEqual(['soon@13']);
    expect(wheel.tickAt(Date.now() + 60_000)).toBe(wheel.now + 60);
  });

  it('says at which tick a time is reached', () => {
    seconds(10);
    expect(wheel.tickAt(Date.now())).toBe(10);
    expect(wheel.tickAt(Date.now() + 1)).toBe(11);
    expect(wheel.tickAt(Date.now() + 60_000)).toBe(70);
  });
});
