import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IDLE, type LineEvent, type LineState, type Phase, statusOf, step } from '../../src/widget/line-state.ts';

const EVENTS: readonly LineEvent[] = [
  'wanted',
  'unwanted',
  'heard',
  'failed',
  'answered',
  'unanswered',
  'due',
  'shown',
  'online',
];

/** Follows events from the beginning, and tells each phase that is entered with the time that it has. */
function follow(events: readonly (LineEvent | [LineEvent, number])[], from = IDLE, random = 1) {
  let state = from;
  let now = 1_000_000;
  const entered: string[] = [];
  for (const each of events) {
    const [event, passed] = typeof each === 'string' ? [each, 0] : each;
    now += passed;
    const next = step(state, event, { now, random });
    state = next.state;
    if (next.entered) entered.push(next.ms === undefined ? state.phase : `${state.phase} ${next.ms}`);
  }
  return { state, entered };
}

describe('the state of a line', () => {
  it('opens a stream, and is open with the first that is heard', () => {
    expect(follow(['wanted']).entered).toEqual(['opening 5000']);
    const { state, ms } = step(follow(['wanted']).state, 'heard', { now: 7, random: 0 });
    expect([state.phase, state.since, ms]).toEqual(['open', 7, 45_000]);
  });

  it('asks a page why a stream failed, and tries again after ever longer times', () => {
    const fail: readonly LineEvent[] = ['failed', 'unanswered', 'due'];
    const { entered } = follow(['wanted', ...Array.from({ length: 7 }, () => fail).flat()]);
    expect(entered.filter((phase) => phase.startsWith('waiting'))).toEqual(
      [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].map((ms) => `waiting ${ms}`),
    );
    expect(entered.slice(0, 4)).toEqual(['opening 5000', 'checking', 'waiting 1000', 'opening 5000']);
  });

  it('spreads its attempts over the whole time', () => {
    expect(follow(['wanted', 'failed', 'unanswered'], IDLE, 0).entered.at(-1)).toBe('waiting 0');
    expect(follow(['wanted', 'failed', 'unanswered'], IDLE, 0.5).entered.at(-1)).toBe('waiting 500');
  });

  it('comes back when the server said', () => {
    const { state } = follow(['wanted', 'heard']);
    expect(step(state, 'failed', { now: 1_000_000, random: 0.5, retry: 3210 })).toMatchObject({
      state: { phase: 'waiting' },
      ms: 3210,
    });
  });

  it('forgets failures when a stream has lasted, and not before', () => {
    const failed = follow(['wanted', 'failed', 'unanswered', 'due', 'failed', 'unanswered', 'due', 'heard']).state;
    expect(follow([['failed', 4999]], failed).entered).toEqual(['waiting 4000']);
    expect(follow([['failed', 1_005_001]], { ...failed, since: 1_000_000 }).entered).toEqual(['waiting 1000']);
  });

  it('reads by polls when a page is answered and the first bytes of a stream do not come, and tries a stream now and then', () => {
    const { entered, state } = follow(['wanted', 'due', 'answered', 'heard', 'due', 'due', 'answered', 'due', 'heard']);
    expect(entered).toEqual([
      'opening 5000',
      'checking',
      'polling 60000',
      'opening 5000',
      'checking',
      'polling 120000',
      'opening 5000',
    ]);
    expect([state.phase, state.again]).toEqual(['open', 0]);
  });

  it('never waits longer than a quarter of an hour before it tries a stream again', () => {
    const late: readonly LineEvent[] = ['due', 'due', 'answered'];
    const { entered } = follow(['wanted', 'due', 'answered', ...Array.from({ length: 8 }, () => late).flat()]);
    expect(entered.filter((phase) => phase.startsWith('polling')).slice(-2)).toEqual([
      'polling 900000',
      'polling 900000',
    ]);
  });

  it('is not misled by a page while a stream was refused once, but by the third time', () => {
    const refuse: readonly LineEvent[] = ['failed', 'answered', 'due'];
    const { entered } = follow(['wanted', ...refuse, ...refuse, ...refuse]);
    expect(entered.filter((phase) => /^(?:waiting|polling)/.test(phase))).toEqual([
      'waiting 1000',
      'waiting 2000',
      'polling 60000',
    ]);
  });

  it('goes on polling after a poll failed', () => {
    const { entered } = follow(['wanted', 'due', 'answered', 'failed', 'due']);
    expect(entered.slice(-3)).toEqual(['polling 60000', 'waiting 1000', 'polling 60000']);
  });

  it('takes a stream that comes late after all', () => {
    expect(follow(['wanted', 'due', 'heard']).state.phase).toBe('open');
    // The answer to the page comes afterwards, and must not undo it.
    expect(follow(['wanted', 'due', 'heard', 'answered']).state.phase).toBe('open');
    expect(follow(['wanted', 'due', 'heard', 'unanswered']).state.phase).toBe('open');
  });

  it('opens a silent line anew', () => {
    expect(follow(['wanted', 'heard', ['due', 45_000]]).entered).toEqual(['opening 5000', 'opening 5000']);
    expect(follow(['wanted', 'heard', ['shown', 46_000]]).entered).toHaveLength(2);
    expect(follow(['wanted', 'heard', ['shown', 30_000]]).entered).toHaveLength(1);
  });

  it('does not wait any longer when the page is seen, or there is a network again', () => {
    const waiting = follow(['wanted', 'failed', 'unanswered']).state;
    for (const event of ['shown', 'online'] as const)
      expect(follow([event], waiting).entered).toEqual(['opening 5000']);
    expect(follow(['online'], follow(['wanted', 'heard']).state).entered).toEqual(['opening 5000']);
    expect(follow(['online']).entered).toEqual([]);
  });

  it('has a rule for every event in every phase, and never loses a line that is wanted', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...EVENTS), { maxLength: 60 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (events, random) => {
          let state: LineState = IDLE;
          let isWanted = false;
          let hasTimer = false;
          for (const event of events) {
            // What cannot happen: nothing is heard or due of what is not there.
            if (state.phase === 'idle' && event !== 'wanted' && event !== 'online' && event !== 'shown') continue;
            if (event === 'due' && !hasTimer) continue;
            const next = step(state, event, { now: 1_000_000, random });
            state = next.state;
            if (event === 'wanted') isWanted = true;
            if (event === 'unwanted') isWanted = false;
            if (next.ms !== undefined) hasTimer = true;
            else if (next.entered) hasTimer = false;
            expect(state.phase === 'idle').toBe(!isWanted);
            // A phase that nothing else ends has a time.
            if (isWanted && state.phase !== 'checking') expect(hasTimer).toBe(true);
            expect(next.ms ?? 0).toBeLessThanOrEqual(15 * 60_000);
          }
        },
      ),
    );
  });
});

describe('the status of a line', () => {
  const at = (phase: Phase, more: Partial<LineState> = {}): LineState => ({ ...IDLE, phase, ...more });

  it.for<[string, LineState, boolean, string]>([
    ['at first', at('opening'), true, 'connecting'],
    ['while it is open', at('open', { since: 1 }), true, 'connected'],
    ['by polls', at('polling', { again: 60_000 }), true, 'polling'],
    ['while a stream is tried between polls', at('opening', { again: 60_000 }), true, 'polling'],
    ['after a cut', at('waiting', { failures: 1, since: 1 }), true, 'reconnecting'],
    ['after a first attempt that failed', at('waiting', { failures: 1 }), true, 'reconnecting'],
    ['after a silence', at('opening', { since: 1 }), true, 'reconnecting'],
    ['without a network', at('waiting', { failures: 1 }), false, 'offline'],
    ['without a network that the browser knows of, but with a line', at('open', { since: 1 }), false, 'connected'],
  ])('%s', ([, state, onLine, status]) => {
    expect(statusOf(state, onLine)).toBe(status);
  });
});
