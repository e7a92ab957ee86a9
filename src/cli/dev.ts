/** `sluice dev`: a server for this machine alone, ready to be tried. */
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { devBanner } from './dev-banner.ts';
import { ensureDevSecret } from './dev-secret.ts';
import { CommandError, EXIT, EXIT_HELP } from './exit.ts';
import { runServer } from './run-server.ts';
import { addSettings, settingsOf } from './settings.ts';

export function addDev(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  const command = program
    .command('dev')
    .configureHelp({ showGlobalOptions: false })
    .summary('run a server on this machine, ready to be tried')
    .description(
      'Runs a server that answers on loopback only, with an embedded Postgres in the data directory and a secret of its own.\n' +
        'Requests from this machine need no token.',
    );
  addSettings(command)
    .addHelpText('after', EXIT_HELP)
    .action(async (flags: Readonly<Record<string, unknown>>) => {
      onEnd(await dev(context, flags));
    });
}

async function dev(context: Context, flags: Readonly<Record<string, unknown>>): Promise<number> {
  const { terminal, interruption } = context;
  const settings = settingsOf(context, flags, 'dev');
  const secret = settings.auth.secret ?? (await secretIn(settings.dataDir));
  const config = { ...settings, auth: { ...settings.auth, secret } };
  interruption.signal.addEventListener('abort', () => terminal.say('sluice: ending (once more to end at once)'));
  return runServer(context, config, (url) => terminal.print(devBanner(url, config, terminal.paint)));
}

async function secretIn(dataDir: string): Promise<string> {
  try {
    return await ensureDevSecret(dataDir);
  } catch (error) {
    throw new CommandError(EXIT.failure, `the data directory ${dataDir} cannot be used: ${(error as Error).message}`);
  }
}
