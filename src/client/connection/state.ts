/**
 * The state of a connection, as a pure machine: of every state and event it says the next state and what is to be done. Timers and
 * requests are its driver's (`connection.ts`).
 *
 * `reconnecting` has two phases, `waiting` for its time and `trying`, so there are five cases of the four states that users see.
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
  | { readonly kind: 'connecting'; readonly failures: 0; readonly trouble?: undefined }
  /** `since` is ms since 1970; `failures` are those before it, forgotten once it has lasted. */
  | {
      readonly kind: 'connected';
      readonly since: number;
      readonly failures: number;
      readonly trouble?: undefined;
    }
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
  readonly disconnect: { readonly trouble?: undefined };
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

/** Waits for the next attempt, after so many failures. */
function retry(
  failures: number,
  { trouble, retryAfter }: ConnectionEvent<'failed'>,
  { now, random }: StepContext,
): Step {
  const asked = Math.min(retryAfter ?? 0, LONGEST_ASKED_MS);
  // The `retry` of a `$close` is spread by the server already; a `Retry-After` is the same for everybody. 0: there is nothing to wait for.
  const isSpread = retryAfter === 0 || (trouble.kind === 'closed' && asked > 0);
  const spread = isSpread ? 0 : Math.min(backoff(failures, random), asked > 0 ? 1000 : Infinity);
  return {
    state: { kind: 'reconnecting', phase: 'waiting', failures, trouble, notBefore: now + asked },
    command: { wait: asked + spread },
  };
}

/** The next state, and what is to be done. */
export function step(state: ConnectionState, event: ConnectionEvent, context: StepContext): Step {
  const { now } = context;
  const stay: Step = { state };
  if (state.kind === 'disconnected')
    return event.kind === 'connect' ? { state: { kind: 'connecting', failures: 0 }, command: 'open' } : stay;
  const { failures } = state;
  const isConnected = state.kind === 'connected';
  const waiting = state.kind === 'reconnecting' && state.phase === 'waiting' && state;
  switch (event.kind) {
    case 'disconnect':
    case 'refused':
      return { state: { kind: 'disconnected', trouble: event.trouble }, command: 'abort' };
    case 'opened':
      return isConnected || waiting ? stay : { state: { kind: 'connected', since: now, failures } };
    case 'failed':
      if (waiting) return stay;
      return retry(isConnected && now - state.since >= LASTING_MS ? 1 : failures + 1, event, context);
    case 'offline':
    case 'wake':
    case 'due':
      // The line may be dead without having been told: a machine that slept, another network. What the system says of the network is not
      // always true of ours (a server on this machine).
      if (isConnected && event.kind !== 'due') return { state, command: 'probe' };
      if (!waiting || event.kind === 'offline') return stay;
      if (event.kind === 'wake' && waiting.notBefore > now)
        return { state, command: { wait: waiting.notBefore - now } };
      return { state: { ...waiting, phase: 'trying' as const }, command: 'open' };
    default:
      return stay;
  }
}
