/** `sluice serve`: a server for production. It says what it does in one JSON line each, on stderr. */
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { EXIT_HELP } from './exit.ts';
import { runServer } from './run-server.ts';
import { addSettings, settingsOf } from './settings.ts';

export function addServe(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  const command = program
    .command('serve')
    .configureHelp({ showGlobalOptions: false })
    .summary('run a server in production')
    .description(
      'Runs a server in production. It needs a way to check tokens: AUTH_SECRET or AUTH_JWKS_URL.\n' +
        'Logs are JSON lines on stderr. SIGTERM drains it: streams are told when to come back, writes in flight finish.',
    );
  addSettings(command)
    .addHelpText('after', EXIT_HELP)
    .action(async (flags: Readonly<Record<string, unknown>>) => {
      onEnd(await runServer(context, settingsOf(context, flags, 'serve')));
    });
}
