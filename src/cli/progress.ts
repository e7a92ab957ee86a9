/** Progress of a long publish, on stderr: one line that is rewritten on a terminal, a line a second elsewhere. */
import { formatSize } from '../config/units.ts';
import type { Terminal } from './terminal.ts';

/** Milliseconds before the first sign, so that short work is not interrupted by it, and between two. */
const QUIET_MS = 1000;
const TERMINAL_MS = 200;
const LINES_MS = 1000;

export interface Progress {
  /** So much is published in all. `part` is how much of the input has been read, 0 to 1, if that can be known. */
  update(events: number, bytes: number, part: number | undefined): void;
  /** Says the sum, if anything was shown before. */
  finish(): void;
}

/** @param forced shows it also where stderr is not a terminal, from the first event on */
export function createProgress(terminal: Terminal, now: () => number, forced: boolean): Progress {
  const begin = now();
  const interval = terminal.stderrIsTerminal ? TERMINAL_MS : LINES_MS;
  const shown = forced || terminal.stderrIsTerminal;
  let last = forced ? Number.NEGATIVE_INFINITY : begin + QUIET_MS - interval;
  let any = false;
  let sum = '';
  return {
    update(events, bytes, part) {
      const time = now();
      const seconds = Math.max(time - begin, 1) / 1000;
      const rate = Math.round(events / seconds).toLocaleString('en');
      sum = `${events.toLocaleString('en')} events, ${formatSize(bytes)}, ${rate} events/s`;
      if (!shown || time - last < interval) return;
      last = time;
      any = true;
      const line = part === undefined ? sum : `${Math.floor(part * 100)} %, ${sum}`;
      if (terminal.stderrIsTerminal) terminal.status(line);
      else terminal.say(line);
    },
    finish() {
      if (!any) return;
      terminal.status('');
      terminal.say(`published ${sum}`);
    },
  };
}
