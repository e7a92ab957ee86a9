/** What every command is given: the outside world, so that nothing reaches for it by itself. */
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { Interruption } from './interruption.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
}

/** Puts a command into the program. `onEnd` is told how the command ended: its exit code. */
export type AddCommand = (program: Command, context: Context, onEnd: (exitCode: number) => void) => void;
