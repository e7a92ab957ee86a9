/**
 * The state of a line, as a pure machine: what happens to it, and what is to be done. Timers, streams and requests are its driver's
 * (`line.ts`), which begins what a phase is about whenever it is entered, and ends what was before.
 *
 * A native `EventSource` gives up for good when it is refused, and tells nobody why. So after an attempt that failed a page of the same
 * topics is asked for: it tells whether the server is there, and what it says.
 */

export type Phase =
  /** Nobody wants anything. */
  | 'idle'
  /** A stream is on its way; nothing has come down it. */
  | 'opening'
  /** The stream did not open, and a page is asked why. The stream may open yet. */
  | 'checking'
  | 'open'
  /** For the time to try again. */
  | 'waiting'
  /** Streams do not come through, so pages are read. */
  | 'polling';

export interface LineState {
  readonly phase: Phase;
  /** Failed attempts and losses in a row. */
  readonly failures: number;
  /** While streams do not come through: how long polls go on before one is tried again, in ms. Else 0. */
  readonly again: number;
  /** Whether it was silence, and no refusal, that made us check. */
  readonly late: boolean;
  /** When the stream opened, and when it was last heard, in ms since 1970; 0 for never. */
  readonly since: number;
  readonly heard: number;
}

export type LineEvent =
  /** Other topics are wanted than are read. */
  | 'wanted'
  | 'unwanted'
  /** Something came down the stream, or a page did. */
  | 'heard'
  /** The attempt failed, or the line ended. */
  | 'failed'
  /** The page that was to tell why came, or did not. */
  | 'answered'
  | 'unanswered'
  /** The time of the present phase is over. */
  | 'due'
  /** The page is seen again. */
  | 'shown'
  /** There is a network again. */
  | 'online';

export interface StepContext {
  /** ms since 1970 */
  readonly now: number;
  /** 0 to 1, 1 excluded */
  readonly random: number;
  /** When the server wants us back after it ended the stream, in ms. */
  readonly retry?: number | undefined;
}

export interface Step {
  readonly state: LineState;
  /** Whether the phase is entered, be it once more. */
  readonly entered?: boolean;
  /** When this phase is due, in ms from now; without it the time that was set before stands, unless the phase is entered. */
  readonly ms?: number;
}

/** How long the first bytes of a stream may take, which the server sends before anything else, in ms. */
const FIRST_BYTES_MS = 5000;
/** A stream is dead after so long without anything, in ms: heartbeats come every 25 s. */
const SILENCE_MS = 45_000;
/** A stream that has lasted so long makes earlier failures forgotten, in ms. A shorter one may be part of the trouble. */
const LASTING_MS = 5000;
/** When streams are tried again where they do not come through: first after a minute, then after twice as long, in ms. */
const FIRST_AGAIN_MS = 60_000;
const LAST_AGAIN_MS = 15 * 60_000;
/** Streams that fail so often while pages are answered do not come through either. */
const HOPELESS = 3;
const LAST_BACKOFF_MS = 30_000;

export const IDLE: LineState = { phase: 'idle', failures: 0, again: 0, late: false, since: 0, heard: 0 };

export function step(state: LineState, event: LineEvent, { now, random, retry }: StepContext): Step {
  const { phase, failures, again, since } = state;
  const enter = (next: Phase, ms?: number, changes?: Partial<LineState>): Step => ({
    state: { ...state, ...changes, phase: next },
    entered: true,
    ...(ms !== undefined && { ms }),
  });
  const open = () => enter('opening', FIRST_BYTES_MS);
  const poll = (ms = again) => enter('polling', ms, { again: ms, failures: 0 });
  /** Full jitter: anything from 0 to 1, 2, 4, 8, 16, 30 s, so that pages that were cut together do not come back together. */
  const wait = (count: number) =>
    enter('waiting', retry ?? random * Math.min(1000 * 2 ** (count - 1), LAST_BACKOFF_MS), { failures: count });
  const stay = { state };

  switch (event) {
    case 'wanted':
      // Whoever waits will ask for what is wanted then.
      return phase === 'waiting' ? stay : phase === 'polling' ? poll() : open();
    case 'unwanted':
      return enter('idle', undefined, IDLE);
    case 'heard':
      if (phase === 'polling') return stay;
      return {
        state: { ...state, phase: 'open', again: 0, heard: now, since: phase === 'open' ? since : now },
        ms: SILENCE_MS,
      };
    case 'failed':
      if (phase === 'opening') return enter('checking', undefined, { late: false });
      if (phase === 'checking') return stay;
      return wait(phase === 'open' && now - since > LASTING_MS ? 1 : failures + 1);
    case 'answered':
    case 'unanswered':
      // The stream may have opened meanwhile.
      if (phase !== 'checking') return stay;
      if (event === 'answered' && (state.late || failures + 1 >= HOPELESS))
        return poll(Math.min(again * 2 || FIRST_AGAIN_MS, LAST_AGAIN_MS));
      return wait(failures + 1);
    case 'due':
      if (phase === 'opening') return enter('checking', undefined, { late: true });
      return phase === 'waiting' && again > 0 ? poll() : open();
    case 'shown':
      if (phase === 'waiting') return again > 0 ? poll() : open();
      // A page that was frozen has not heard of the end of its line.
      return phase === 'open' && now - state.heard > SILENCE_MS ? open() : stay;
    case 'online':
      // A line through a network that was gone is most likely dead.
      return phase === 'idle' || phase === 'opening' ? stay : open();
  }
}

/** What people are told of a line: `refused` when the server will have none of its topics until something changes. */
export type Status = 'connected' | 'polling' | 'connecting' | 'reconnecting' | 'offline' | 'refused';

/** @param onLine whether the browser knows of a network */
export function statusOf({ phase, failures, again, since }: LineState, onLine: boolean): Status {
  if (phase === 'open') return 'connected';
  if (phase === 'polling') return phase;
  if (!onLine) return 'offline';
  // Polls make a pause to see whether a stream comes through: nobody need know.
  if (again > 0 && failures === 0) return 'polling';
  return failures + since === 0 ? 'connecting' : 'reconnecting';
}
