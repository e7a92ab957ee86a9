/** The command line as a whole: its commands, and the options that all of them share. */
import { Command, Option } from 'commander';
import { addCaptureCommand } from './capture.ts';
import type { AddCommand, Context } from './context.ts';
import { addDev } from './dev.ts';
import { EXIT } from './exit.ts';
import { addPublish } from './publish.ts';
import { addReplay } from './replay.ts';
import { addRowSecurityCommand } from './row-security.ts';
import { addServe } from './serve.ts';
import { DEFAULT_URL } from './server.ts';
import { addTail } from './tail.ts';
import { addToken } from './token.ts';
import { addTopics } from './topics.ts';

const COMMANDS: readonly AddCommand[] = [
  addDev,
  addServe,
  addPublish,
  addTail,
  addReplay,
  addToken,
  addTopics,
  addCaptureCommand,
  addRowSecurityCommand,
];

/**
 * Runs a command line.
 * @param args the whole of it, as in `process.argv`
 * @returns the exit code
 * @throws CommandError, CommanderError or OutputClosed when a command cannot do what it was asked
 */
export async function runProgram(context: Context, version: string, args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;

  const program = new Command('sluice')
    .description('Live data over plain HTTP: REST writes up, Server-Sent Events down, resumable from a durable log.')
    .version(version)
    .addOption(
      new Option('--url <url>', 'the server that publish, tail, replay and topics talk to')
        .env('SLUICE_URL')
        .default(DEFAULT_URL),
    )
    .addOption(new Option('--token <token>', 'who to be; best given in the environment').env('SLUICE_TOKEN'))
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(sluice --help, or sluice help <command>, tells more)');
  for (const add of COMMANDS)
    add(program, context, (code) => {
      exitCode = code;
    });
  await program.parseAsync(args);
  return exitCode;
}
