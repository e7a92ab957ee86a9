/** Runs the command line of this process, and ends it. */
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import type { Context } from './context.ts';
import { CommandError, EXIT } from './exit.ts';
import { interceptSignals } from './interruption.ts';
import { runProgram } from './program.ts';
import { createTerminal, OutputClosed } from './terminal.ts';

const terminal = createTerminal(process.stdout, process.stderr, process.env);
const context: Context = {
  env: process.env,
  stdin: process.stdin,
  terminal,
  interruption: interceptSignals(() => performance.now()),
  fetch,
  now: Date.now,
  random: Math.random,
};

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

try {
  process.exitCode = await runProgram(context, manifest.version, process.argv);
} catch (error) {
  process.exitCode = report(error);
}
// A pipe that we still read from, or a socket kept for later, must not keep the process.
process.exit();

/** Says what went wrong, and how the process ends because of it. */
function report(error: unknown): number {
  if (error instanceof OutputClosed) return EXIT.ok;
  if (error instanceof CommandError) {
    terminal.status('');
    terminal.say(`sluice: ${error.message}`);
    return error.exitCode;
  }
  // Commander has said it already; help and version come as errors too, with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  terminal.say(
    `sluice: something went wrong: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return EXIT.failure;
}
