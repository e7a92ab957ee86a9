/**
 * Whether heartbeats show that a stream is held back: judged by what was seen, not by what the browser or the network is thought to be.
 *
 * A proxy that buffers holds an answer back until a buffer is full: heartbeats that were sent 25 s apart arrive together. (That it holds back the
 * first bytes is seen in `fallback.ts`.) What shows nothing: silence, which is a dead line, and a machine that slept and finds all that
 * came meanwhile.
 */
import type { Obstacle } from './fallback.ts';

export interface Evidence {
  /** A heartbeat has come. Both times are ms since 1970, by the server's and the client's clock. */
  heartbeat(sent: number, arrived: number): Obstacle | undefined;
  /** The client itself stood still (sleep, a frozen page): what comes now came long ago. */
  paused(): void;
}

/** Heartbeats sent at least so far apart that arrive within so little of each other, in ms, were held back between. */
const APART_MS = 20_000;
const TOGETHER_MS = 2000;
/** One clump may be the network's: a second one is not. */
const CLUMPS = 2;

/** The evidence of one stream. */
export function createEvidence(): Evidence {
  let last: { readonly sent: number; readonly arrived: number } | undefined;
  let clumps = 0;
  return {
    heartbeat(sent, arrived) {
      if (last !== undefined && sent - last.sent >= APART_MS)
        clumps = arrived - last.arrived <= TOGETHER_MS ? clumps + 1 : 0;
      last = { sent, arrived };
      return clumps >= CLUMPS ? 'clumps' : undefined;
    },
    paused() {
      last = undefined;
      clumps = 0;
    },
  };
}
