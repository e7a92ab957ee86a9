/**
 * The state of a connection, as a pure machine: every state × event pair is in one table, which says the next state and what is to be
 * done. Timers and requests are its driver's (`connection.ts`).
 *
 * `reconnecting` has two phases, `waiting` for its time and `trying`, so the table has five rows for the four states that users see.
 */
import { backoff, LONGEST_ASKED_MS } from './backoff.ts';

/** Why there is no connection, or was not a moment ago. */
export type Trouble =
  /** The server ended the stream on purpose. */
  | { readonly kind: 'closed'; readonly reason: string }
  /** The stream ended without a word, fell silent, or does not come through; or a piece of it made no sense. */
  | { readonly kind: 'lost'; readonly why: 'ended' | 'silent' | 'malformed' | 'obstructed' }
  | { readonly kind: 'unreachable'; readonly why: 'network' | 'timeout' | 'token' | 'aborted' }
  /** The server refused by a code of protocol section 7. */
  | { readonly kind: 'refused'; readonly code: string; readonly status: number }
  /** Something other than the server answered: a captive portal, a proxy. */
  | { readonly kind: 'strange'; readonly status: number; readonly what: string };

export type ConnectionState =
  /** Nobody wants a connection, or it cannot be had until something changes. */
  | { readonly kind: 'disconnected'; readonly trouble?: Trouble | undefined }
  | { readonly kind: 'connecting' }
  /** `since` is ms since 1970; `failures` are those before it, forgotten once it has lasted. */
  | { readonly kind: 'connected'; readonly since: number; readonly failures: number }
  | {
      readonly kind: 'reconnecting';
      readonly phase: 'waiting' | 'trying';
      /** Failed attempts and losses in a row. */
      readonly failures: number;
      readonly trouble: Trouble;
      /** The server has asked not to be tried before, ms since 1970. */
      readonly notBefore: number;
    };

/** What each event brings along. */
interface EventMembers {
  /** A connection is wanted. */
  readonly connect: unknown;
  /** No connection is wanted. */
  readonly disconnect: unknown;
  readonly opened: unknown;
  /** The attempt failed, or the connection ended. `retryAfter` is in ms: `Retry-After`, or the `retry` of `$close`. */
  readonly failed: { readonly trouble: Trouble; readonly retryAfter?: number | undefined };
  /** It cannot be had until something changes: there is no use in trying again. */
  readonly refused: { readonly trouble: Trouble };
  /** The time to wait is over. */
  readonly due: unknown;
  /** The network is there again, the page visible, the machine awake. */
  readonly wake: unknown;
  /** The system says that there is no network. */
  readonly offline: unknown;
}

export type ConnectionEvent<Kind extends keyof EventMembers = keyof EventMembers> = {
  [Each in Kind]: { readonly kind: Each } & EventMembers[Each];
}[Kind];

/** What the driver does: open or abort an attempt, find out whether the line still lives, or wait for so many ms. */
export type Command = 'open' | 'abort' | 'probe' | { readonly wait: number };

export interface Step {
  readonly state: ConnectionState;
  readonly command?: Command | undefined;
}

export interface StepContext {
  /** ms since 1970 */
  readonly now: number;
  readonly random: () => number;
}

/** A connection that has lasted so long, in ms, makes earlier failures forgotten. A shorter one may be part of the trouble. */
export const LASTING_MS = 5000;

type Row = Exclude<ConnectionState['kind'], 'reconnecting'> | 'waiting' | 'trying';
type Rules = {
  readonly [Kind in keyof EventMembers]: (
    state: ConnectionState,
    event: ConnectionEvent<Kind>,
    context: StepContext,
  ) => Step;
};

const failuresOf = (state: ConnectionState): number => ('failures' in state ? state.failures : 0);
const stay = (state: ConnectionState): Step => ({ state });
const leave = (): Step => ({ state: { kind: 'disconnected' }, command: 'abort' });
const giveUp = (_: ConnectionState, { trouble }: { readonly trouble: Trouble }): Step => ({
  state: { kind: 'disconnected', trouble },
  command: 'abort',
});

/** Waits for the next attempt, after so many failures. */
function retry(
  failures: number,
  { trouble, retryAfter }: { readonly trouble: Trouble; readonly retryAfter?: number | undefined },
  { now, random }: StepContext,
): Step {
  const asked = Math.min(retryAfter ?? 0, LONGEST_ASKED_MS);
  // The `retry` of a `$close` is spread by the server already; a `Retry-After` is the same for everybody. 0: there is nothing to wait for.
  const isSpread = retryAfter === 0 || (trouble.kind === 'closed' && asked > 0);
  const spread = isSpread ? 0 : Math.min(backoff(failures, random), asked > 0 ? 1000 : 30_000);
  return {
    state: { kind: 'reconnecting', phase: 'waiting', failures, trouble, notBefore: now + asked },
    command: { wait: asked + spread },
  };
}

function tryNow(state: ConnectionState): Step {
  return state.kind === 'reconnecting' ? { state: { ...state, phase: 'trying' }, command: 'open' } : stay(state);
}

const probe = (state: ConnectionState): Step => ({ state, command: 'probe' });

/** What changes nothing, wherever a row does not say otherwise. */
const STAY: Rules = {
  connect: stay,
  disconnect: stay,
  opened: stay,
  failed: stay,
  refused: stay,
  due: stay,
  wake: stay,
  offline: stay,
};
/** What ends any wish for a connection. */
const END: Rules = { ...STAY, disconnect: leave, refused: giveUp };
/** What becomes of an attempt. */
const TRYING: Rules = {
  ...END,
  opened: (state, _, { now }) => ({ state: { kind: 'connected', since: now, failures: failuresOf(state) } }),
  failed: (state, event, context) => retry(failuresOf(state) + 1, event, context),
};

const TABLE: Readonly<Record<Row, Rules>> = {
  disconnected: { ...STAY, connect: () => ({ state: { kind: 'connecting' }, command: 'open' }) },
  connecting: TRYING,
  connected: {
    ...END,
    failed(state, event, context) {
      const hasLasted = 'since' in state && context.now - state.since >= LASTING_MS;
      return retry(hasLasted ? 1 : failuresOf(state) + 1, event, context);
    },
    // The line may be dead without having been told: a machine that slept, another network.
    wake: probe,
    // What the system says of the network is not always true of ours (a server on this machine).
    offline: probe,
  },
  waiting: {
    ...END,
    due: tryNow,
    wake: (state, _, { now }) =>
      'notBefore' in state && state.notBefore > now
        ? { state, command: { wait: state.notBefore - now } }
        : tryNow(state),
  },
  trying: TRYING,
};

function apply<Kind extends keyof EventMembers>(
  rules: Rules,
  state: ConnectionState,
  event: ConnectionEvent<Kind>,
  context: StepContext,
): Step {
  return rules[event.kind](state, event, context);
}

/** The next state, and what is to be done. */
export function step(state: ConnectionState, event: ConnectionEvent, context: StepContext): Step {
  return apply(TABLE[state.kind === 'reconnecting' ? state.phase : state.kind], state, event, context);
}
