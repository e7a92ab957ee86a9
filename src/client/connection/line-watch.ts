/** Watches an open line: whether anything is heard on it, and whether the client itself stood still. */

/** How often it looks, and after what time without a look the client must have stood still, in ms. */
const LOOK_MS = 5000;
const PAUSE_MS = 3 * LOOK_MS;
/** A line is dead after so long without a byte, in ms: heartbeats come every 25 s, and with the next look it is known within 45 s. */
const SILENCE_MS = 38_000;

export interface LineWatch {
  start(): void;
  stop(): void;
  /** Whether nothing has come for so long that the line must be dead. */
  silent(): boolean;
}

export interface LineWatchOptions {
  /** ms since 1970 */
  readonly clock: () => number;
  /** When the line was last heard, ms since 1970; `undefined` where it need not be heard. */
  readonly lastHeard: () => number | undefined;
  readonly onSilent: () => void;
  /** The machine slept, or the page was frozen, and goes on. */
  readonly onPause: () => void;
}

export function createLineWatch({ clock, lastHeard, onSilent, onPause }: LineWatchOptions): LineWatch {
  let timer: ReturnType<typeof setInterval> | undefined;
  let looked = 0;
  const isSilent = () => clock() - (lastHeard() ?? clock()) > SILENCE_MS;

  function look(): void {
    const paused = clock() - looked > PAUSE_MS;
    looked = clock();
    if (isSilent()) onSilent();
    if (paused) onPause();
  }

  return {
    start() {
      clearInterval(timer);
      looked = clock();
      timer = setInterval(look, LOOK_MS);
    },
    stop: () => clearInterval(timer),
    silent: isSilent,
  };
}
