/**
 * Whether streams come through: judged by what was seen, not by what the browser or the network is thought to be.
 *
 * A proxy that buffers holds an answer back until it is complete, or until a buffer is full. What shows this: the server answers other
 * requests while the first bytes of a stream, which it sends before anything else, do not come; heartbeats that were sent 25 s apart
 * arrive together. What does not: streams that end early, silence (which is a dead line), a machine that slept and finds
 * all that came meanwhile.
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
