/** The command line as a whole: its commands, and the options that all of them share. */
import { Command, Option } from 'commander';
import type { Context } from './context.ts';
import { addDev } from './dev.ts';
import { addPublish } from './publish.ts';
import { addServe } from './serve.ts';
import { DEFAULT_URL } from './server.ts';
import { addTail } from './tail.ts';
import { addToken } from './token.ts';
import { addTopics } from './topics.ts';

export function createProgram(context: Context, version: string): Command {
  const program = new Command('sluice')
    .description('Live data over plain HTTP: REST writes up, Server-Sent Events down, resumable from a durable log.')
    .version(version)
    .addOption(
      new Option('--url <url>', 'the server that publish, tail and topics talk to')
        .env('SLUICE_URL')
        .default(DEFAULT_URL),
    )
    .addOption(new Option('--token <token>', 'who to be; best given in the environment').env('SLUICE_TOKEN'))
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(sluice --help, or sluice help <command>, tells more)');
  for (const add of [addDev, addServe, addPublish, addTail, addToken, addTopics]) add(program, context);
  return program;
}
