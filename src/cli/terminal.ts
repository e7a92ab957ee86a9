/** Where a command writes: results to stdout, everything else to stderr. */
import type { Writable } from 'node:stream';

/** Whoever read our output has gone, as `sluice tail … | head` does. Not a failure. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

export interface Terminal {
  /** Resolves when the text has been handed to the operating system. @throws OutputClosed */
  print(text: string): Promise<void>;
  /** Tells people something, on a line of its own on stderr. Never fails: there is nobody else to tell. */
  say(line: string): void;
  /** Replaces the last unfinished line on stderr, as a progress display does. `''` clears it. */
  status(line: string): void;
  /** Colours for stdout; they do nothing when it is not a terminal, or when `NO_COLOR` is set. */
  readonly paint: Paint;
  readonly stderrIsTerminal: boolean;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan';
export type Paint = (style: Style, text: string) => string;

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
};

type Stream = Writable & { readonly isTTY?: boolean };

export function createTerminal(
  stdout: Stream,
  stderr: Stream,
  env: Readonly<Record<string, string | undefined>>,
): Terminal {
  let closed = false;
  let pending = '';
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed = true;
  });
  // A stderr that nobody reads must not end the command.
  stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const colours = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const stderrIsTerminal = stderr.isTTY === true;
  return {
    stderrIsTerminal,
    paint(style, text) {
      const [on, off] = CODES[style];
      return colours ? `\u001B[${on}m${text}\u001B[${off}m` : text;
    },
    print(text) {
      if (closed) return Promise.reject(new OutputClosed());
      return new Promise((resolve, reject) => {
        stdout.write(text, (error) => {
          if (error === null || error === undefined) resolve();
          else reject((error as NodeJS.ErrnoException).code === 'EPIPE' ? new OutputClosed() : error);
        });
      });
    },
    say(line) {
      const clear = pending === '' ? '' : '\r\u001B[K';
      stderr.write(`${clear}${line}\n${pending}`);
    },
    status(line) {
      if (!stderrIsTerminal) return;
      stderr.write(`\r\u001B[K${line}`);
      pending = line;
    },
  };
}

/**
 * Makes text from elsewhere safe to show: characters that could move the cursor, change colours or turn the direction of
 * the line are written as `\uXXXX`.
 */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
