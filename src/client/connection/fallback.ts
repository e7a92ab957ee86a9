/** What a connection falls back on where streams do not come through. */
import { createEvidence, type Evidence } from './evidence.ts';
import { openPoll } from './poll-transport.ts';
import type { OpenTransport } from './transport.ts';

/** Why streams are thought not to come through. */
export type Obstacle =
  /** The server answered at once, but the first bytes of the stream did not come. */
  | 'first-bytes-late'
  /** Heartbeats came in clumps. */
  | 'clumps';

export interface Fallback {
  readonly open: OpenTransport;
  /** The evidence of one stream. */
  evidence(): Evidence;
  /** How long until streams are to be tried again, in ms. */
  again(): number;
}

const FIRST_AGAIN_MS = 60_000;
const LAST_AGAIN_MS = 15 * 60_000;

/** Long polls; streams are tried again after a minute, and each time they do not come through, after twice as long, up to 15 minutes. */
export function longPoll(): Fallback {
  let wait = FIRST_AGAIN_MS / 2;
  return {
    open: openPoll,
    evidence: createEvidence,
    again() {
      wait = Math.min(wait * 2, LAST_AGAIN_MS);
      return wait;
    },
  };
}
