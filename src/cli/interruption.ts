/**
 * Signals. The first SIGINT or SIGTERM asks the command to finish what it holds; a second one ends the process at once.
 *
 * A terminal sends Ctrl-C to the whole foreground group, and `npm run` passes its own copy on, so one key press arrives
 * twice. A repeat within half a second is therefore taken for the same one.
 */
import { EXIT } from './exit.ts';

const SAME_PRESS_MS = 500;

export interface Interruption {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** 128 + the number of the first signal; meaningless before it. */
  readonly exitCode: number;
}

/** Takes over SIGINT and SIGTERM for the rest of the process's life. `now` is in milliseconds. */
export function interceptSignals(now: () => number): Interruption {
  const controller = new AbortController();
  let exitCode: number = EXIT.interrupted;
  let first: number | undefined;
  const receive = (name: 'SIGINT' | 'SIGTERM') => {
    const code = name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
    if (first === undefined) {
      first = now();
      exitCode = code;
      controller.abort();
    } else if (now() - first > SAME_PRESS_MS) process.exit(code);
  };
  process.on('SIGINT', receive);
  process.on('SIGTERM', receive);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
