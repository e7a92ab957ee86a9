import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMembership } from '../../../src/client/presence/membership.ts';
import type { Answer, Request } from '../../../src/client/request.ts';

const OK: Answer = { kind: 'ok', status: 200, headers: new Headers(), body: {} };
const AWAY: Answer = { kind: 'unreachable', why: 'network' };
const TAKEN: Answer = {
  kind: 'refused',
  code: 'forbidden',
  status: 403,
  problem: { code: 'forbidden', status: 403, type: '', title: '' },
  retryAfter: undefined,
};

interface Put {
  readonly method: string;
  readonly path: string;
  readonly state: unknown;
  readonly ttl: number;
}

let puts: Put[];
let answer: Answer;
let hidden: boolean;
let states: string[];

beforeEach(() => {
  vi.useFakeTimers();
  [puts, answer, hidden, states] = [[], OK, false, []];
});
afterEach(() => {
  vi.useRealTimers();
});

const request: Request = async (method, path, options = {}) => {
  const { state, ttl } = Object(options.body);
  puts.push({ method, path, state, ttl });
  return answer;
};

const join = (state: unknown = null) => {
  const membership = createMembership('a/b', 'ada', state, {
    request,
    clock: Date.now,
    random: () => 0.999,
    hidden: () => hidden,
    onChange: () => states.push(membership.state.kind),
  });
  return membership;
};

describe('a membership', () => {
  it('is renewed three times within its time, as long as it lasts', async () => {
    join('here');
    await vi.advanceTimersByTimeAsync(46_000);
    expect(puts).toHaveLength(4);
    expect(puts[0]).toEqual({ method: 'PUT', path: '/v1/presence/a%2Fb/ada', state: 'here', ttl: 45 });
    expect(states).toEqual(['present']);
  });

  it('lasts longer in a page that nobody sees, whose timers are slow', async () => {
    hidden = true;
    join();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(puts.map(({ ttl }) => ttl)).toEqual([150, 150]);
  });

  it('tells the newest state, not more often than five times a second', async () => {
    const membership = join(0);
    await vi.advanceTimersByTimeAsync(1000);
    for (let n = 1; n <= 100; n += 1) {
      membership.update(n);
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(300);
    expect(puts.length).toBeLessThanOrEqual(8);
    expect(puts.at(-1)!.state).toBe(100);
  });

  it('is tried again while the server is away, and joined when it is back', async () => {
    answer = AWAY;
    join();
    await vi.advanceTimersByTimeAsync(4000);
    expect(puts.length).toBeGreaterThan(1);
    answer = OK;
    await vi.advanceTimersByTimeAsync(5000);
    expect(states).toEqual(['present']);
  });

  it('is not tried again where it is refused, and says why', async () => {
    answer = TAKEN;
    const membership = join();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(puts).toHaveLength(1);
    expect(membership.state).toEqual({ kind: 'refused', code: 'forbidden' });
  });

  it('ends when it is left, and nothing is renewed after that', async () => {
    const membership = join();
    await vi.advanceTimersByTimeAsync(10);
    membership.update('more');
    membership.leave();
    membership.leave();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(puts.map(({ method }) => method)).toEqual(['PUT', 'DELETE']);
    expect(membership.state).toEqual({ kind: 'left' });
  });

  it('that is left while it joins is left all the same', async () => {
    const membership = join();
    membership.leave();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(puts.map(({ method }) => method)).toEqual(['PUT', 'DELETE']);
  });
});
