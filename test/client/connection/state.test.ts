import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Command,
  type ConnectionEvent,
  type ConnectionState,
  LASTING_MS,
  step,
  type Trouble,
} from '../../../src/client/connection/state.ts';

const NOW = 1_000_000;
const LOST: Trouble = { kind: 'lost', why: 'ended' };
const REFUSED: Trouble = { kind: 'refused', code: 'token-required', status: 401 };
const context = { now: NOW, random: () => 0.5 };

const STATES = {
  disconnected: { kind: 'disconnected' },
  refused: { kind: 'disconnected', trouble: REFUSED },
  connecting: { kind: 'connecting', failures: 0 },
  connected: { kind: 'connected', since: NOW - LASTING_MS, failures: 3 },
  'just connected': { kind: 'connected', since: NOW - 1, failures: 3 },
  waiting: { kind: 'reconnecting', phase: 'waiting', failures: 2, trouble: LOST, notBefore: 0 },
  'waiting as asked': { kind: 'reconnecting', phase: 'waiting', failures: 2, trouble: LOST, notBefore: NOW + 7000 },
  trying: { kind: 'reconnecting', phase: 'trying', failures: 2, trouble: LOST, notBefore: 0 },
} satisfies Record<string, ConnectionState>;

const EVENTS = {
  connect: { kind: 'connect' },
  disconnect: { kind: 'disconnect' },
  opened: { kind: 'opened' },
  failed: { kind: 'failed', trouble: LOST },
  'failed, to be tried after 9 s': { kind: 'failed', trouble: LOST, retryAfter: 9000 },
  'closed, to be tried after 3 s': {
    kind: 'failed',
    trouble: { kind: 'closed', reason: 'draining' },
    retryAfter: 3000,
  },
  refused: { kind: 'refused', trouble: REFUSED },
  due: { kind: 'due' },
  wake: { kind: 'wake' },
  offline: { kind: 'offline' },
} satisfies Record<string, ConnectionEvent>;

type StateName = keyof typeof STATES;
type EventName = keyof typeof EVENTS;

/** What follows: the next state in short, and the command. */
function outcome(state: StateName, event: EventName): string {
  const next = step(STATES[state], EVENTS[event], context);
  return `${short(next.state)}${next.command === undefined ? '' : `, ${shortCommand(next.command)}`}`;
}

function short(state: ConnectionState): string {
  if (state.kind === 'reconnecting') return `${state.phase} ${state.failures}`;
  if (state.kind === 'connected') return `connected ${state.failures}`;
  return 'trouble' in state && state.trouble !== undefined ? `${state.kind} (${state.trouble.kind})` : state.kind;
}

function shortCommand(command: Command): string {
  return typeof command === 'object' ? `wait ${command.wait}` : command;
}

/** Every pair. Half of the backoff is what a random of 0.5 gives; a time that the server asked for is never undercut. */
const TABLE: Record<StateName, Record<EventName, string>> = {
  disconnected: {
    connect: 'connecting, open',
    disconnect: 'disconnected',
    opened: 'disconnected',
    failed: 'disconnected',
    'failed, to be tried after 9 s': 'disconnected',
    'closed, to be tried after 3 s': 'disconnected',
    refused: 'disconnected',
    due: 'disconnected',
    wake: 'disconnected',
    offline: 'disconnected',
  },
  refused: {
    connect: 'connecting, open',
    disconnect: 'disconnected (refused)',
    opened: 'disconnected (refused)',
    failed: 'disconnected (refused)',
    'failed, to be tried after 9 s': 'disconnected (refused)',
    'closed, to be tried after 3 s': 'disconnected (refused)',
    refused: 'disconnected (refused)',
    due: 'disconnected (refused)',
    wake: 'disconnected (refused)',
    offline: 'disconnected (refused)',
  },
  connecting: {
    connect: 'connecting',
    disconnect: 'disconnected, abort',
    opened: 'connected 0',
    failed: 'waiting 1, wait 500',
    'failed, to be tried after 9 s': 'waiting 1, wait 9500',
    'closed, to be tried after 3 s': 'waiting 1, wait 3000',
    refused: 'disconnected (refused), abort',
    due: 'connecting',
    wake: 'connecting',
    offline: 'connecting',
  },
  connected: {
    connect: 'connected 3',
    disconnect: 'disconnected, abort',
    opened: 'connected 3',
    failed: 'waiting 1, wait 500',
    'failed, to be tried after 9 s': 'waiting 1, wait 9500',
    'closed, to be tried after 3 s': 'waiting 1, wait 3000',
    refused: 'disconnected (refused), abort',
    due: 'connected 3',
    wake: 'connected 3, probe',
    offline: 'connected 3, probe',
  },
  'just connected': {
    connect: 'connected 3',
    disconnect: 'disconnected, abort',
    opened: 'connected 3',
    failed: 'waiting 4, wait 4000',
    'failed, to be tried after 9 s': 'waiting 4, wait 10000',
    'closed, to be tried after 3 s': 'waiting 4, wait 3000',
    refused: 'disconnected (refused), abort',
    due: 'connected 3',
    wake: 'connected 3, probe',
    offline: 'connected 3, probe',
  },
  waiting: {
    connect: 'waiting 2',
    disconnect: 'disconnected, abort',
    opened: 'waiting 2',
    failed: 'waiting 2',
    'failed, to be tried after 9 s': 'waiting 2',
    'closed, to be tried after 3 s': 'waiting 2',
    refused: 'disconnected (refused), abort',
    due: 'trying 2, open',
    wake: 'trying 2, open',
    offline: 'waiting 2',
  },
  'waiting as asked': {
    connect: 'waiting 2',
    disconnect: 'disconnected, abort',
    opened: 'waiting 2',
    failed: 'waiting 2',
    'failed, to be tried after 9 s': 'waiting 2',
    'closed, to be tried after 3 s': 'waiting 2',
    refused: 'disconnected (refused), abort',
    due: 'trying 2, open',
    wake: 'waiting 2, wait 7000',
    offline: 'waiting 2',
  },
  trying: {
    connect: 'trying 2',
    disconnect: 'disconnected, abort',
    opened: 'connected 2',
    failed: 'waiting 3, wait 2000',
    'failed, to be tried after 9 s': 'waiting 3, wait 10000',
    'closed, to be tried after 3 s': 'waiting 3, wait 3000',
    refused: 'disconnected (refused), abort',
    due: 'trying 2',
    wake: 'trying 2',
    offline: 'trying 2',
  },
};

const STATE_NAMES = Object.keys(STATES) as StateName[];
const EVENT_NAMES = Object.keys(EVENTS) as EventName[];

describe.each(STATE_NAMES)('%s', (state) => {
  it.each(EVENT_NAMES.map((event) => [event, TABLE[state][event]] as const))('on %s becomes: %s', (event, becomes) => {
    expect(outcome(state, event)).toBe(becomes);
  });
});

describe('the machine', () => {
  it('waits between 0 and 1, 2, 4, 8, 16, then 30 s after failures in a row', () => {
    const bounds = [0, 0.999999].map((random) => {
      let state: ConnectionState = { kind: 'connecting', failures: 0 };
      return Array.from({ length: 8 }, () => {
        const failed = step(state, { kind: 'failed', trouble: LOST }, { now: NOW, random: () => random });
        state = step(failed.state, { kind: 'due' }, context).state;
        return typeof failed.command === 'object' ? failed.command.wait : undefined;
      });
    });
    expect(bounds[0]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(bounds[1]).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('waits ten minutes at most, whoever asks for more', () => {
    const event = { kind: 'failed', trouble: LOST, retryAfter: 2_592_000_000 } as const;
    expect(step({ kind: 'connecting', failures: 0 }, event, { now: NOW, random: () => 0 }).command).toEqual({
      wait: 600_000,
    });
  });

  it('never has two attempts at once, and always one, a timer or a connection while it is wanted', () => {
    const event = fc.constantFrom(...EVENT_NAMES).map((name): ConnectionEvent => EVENTS[name]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(event, fc.nat(20_000), fc.double({ min: 0, max: 0.99, noNaN: true }))),
        (events) => {
          let state: ConnectionState = { kind: 'disconnected' };
          let now = NOW;
          let attempt = false;
          let timer = false;
          for (const [each, passed, random] of events) {
            now += passed;
            // An attempt answers only while there is one, and a timer is due only where one was set.
            if ((each.kind === 'opened' || each.kind === 'failed') && !attempt) continue;
            if (each.kind === 'due' && !timer) continue;
            if (each.kind === 'failed') attempt = false;
            if (each.kind === 'due') timer = false;
            const next = step(state, each, { now, random: () => random });
            state = next.state;
            if (next.command === 'open') {
              expect(attempt).toBe(false);
              attempt = true;
            }
            if (next.command === 'abort') attempt = false;
            if (next.command !== undefined && next.command !== 'probe') timer = typeof next.command === 'object';
            expect({ attempt, timer }).toEqual({
              attempt:
                ['connecting', 'connected'].includes(state.kind) ||
                (state.kind === 'reconnecting' && state.phase === 'trying'),
              timer: state.kind === 'reconnecting' && state.phase === 'waiting',
            });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
