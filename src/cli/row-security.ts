/** `sluice row-security`: the roles and functions that policies of PostgREST and Supabase rely on. */
import type { Command } from 'commander';
import { installRowSecurity, missingRowSecurity } from '../records/install-row-security.ts';
import type { Context } from './context.ts';
import { addDatabaseCommand, type DatabaseFlags, withDatabase } from './database-command.ts';
import { CommandError, EXIT } from './exit.ts';
import { printable } from './terminal.ts';

const HELP = `
The roles anon and authenticated, and auth.uid(), auth.role() and auth.jwt(), which read the claims of whoever asks. What is
there already stays as it is. A server with a collection under rls() brings the same about when it starts, if it may.

Exit codes: 0 done, 1 not allowed, 2 not understood, 4 database unreachable.`;

export function addRowSecurityCommand(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  const rowSecurity = program
    .command('row-security')
    .configureHelp({ showGlobalOptions: false })
    .summary('prepare a database for row-level security')
    .description(
      'Prepares a database for collections under rls(), so that policies can be written before a server starts.',
    );
  addDatabaseCommand(rowSecurity, 'install', 'create what is missing', HELP).action(async (flags: DatabaseFlags) =>
    onEnd(await install(context, flags)),
  );
  addDatabaseCommand(rowSecurity, 'print', 'print what is missing as SQL, for somebody who may run it', HELP).action(
    async (flags: DatabaseFlags) => onEnd(await print(context, flags)),
  );
}

async function install(context: Context, flags: DatabaseFlags): Promise<number> {
  const result = await withDatabase(context, flags, installRowSecurity);
  if (!result.ok)
    throw new CommandError(
      EXIT.failure,
      `this role may not do that (${printable(result.reason)}). Have somebody run:\n${asSql(result.statements)}`,
    );
  if (result.done.length === 0) context.terminal.say('everything was there already');
  else await context.terminal.print(`${asSql(result.done)}\n`);
  return EXIT.ok;
}

async function print(context: Context, flags: DatabaseFlags): Promise<number> {
  const statements = await withDatabase(context, flags, missingRowSecurity);
  if (statements.length === 0) context.terminal.say('nothing is missing');
  else await context.terminal.print(`${asSql(statements)}\n`);
  return EXIT.ok;
}

function asSql(statements: readonly string[]): string {
  return statements.map((statement) => `${statement};`).join('\n');
}
