/** `sluice capture`: which tables' changes go into the log. Works on the database itself, whether a server runs or not. */
import { type Command, Option } from 'commander';
import { addCapture } from '../capture/add-capture.ts';
import type { Finding } from '../capture/finding.ts';
import { listCaptures } from '../capture/list-captures.ts';
import { removeCapture } from '../capture/remove-capture.ts';
import { type VerifiedCapture, verifyCapture, verifyCaptures } from '../capture/verify-capture.ts';
import type { Context } from './context.ts';
import { addDatabaseCommand, type DatabaseFlags, withDatabase } from './database-command.ts';
import { CommandError, EXIT } from './exit.ts';
import { printable } from './terminal.ts';

interface AddFlags extends DatabaseFlags {
  readonly key?: readonly string[];
}

interface ListFlags extends DatabaseFlags {
  readonly json?: boolean;
}

const HELP = `
<table> is a name as in SQL: orders, shop.orders, '"Odd name"'. The database is the one that a server with the same
settings uses; an embedded one must not be in use.

Exit codes: 0 done, 1 not possible or something is wrong, 2 not understood, 4 database unreachable.`;

export function addCaptureCommand(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  const capture = program
    .command('capture')
    .configureHelp({ showGlobalOptions: false })
    .summary('capture the changes of tables')
    .description('Captures the changes of tables in Postgres, whoever makes them, for the streams of collections.');

  command(capture, 'add <table>', 'capture a table, or mend its capture; may be repeated')
    .addOption(new Option('--key <columns...>', 'the columns that tell its rows apart (default: the primary key)'))
    .action(async (table: string, flags: AddFlags) => onEnd(await add(context, table, flags)));
  command(
    capture,
    'remove <table>',
    'take the triggers off a table; for a dropped one, give the id of its capture',
  ).action(async (table: string, flags: DatabaseFlags) => onEnd(await remove(context, table, flags)));
  command(capture, 'list', 'list what is captured')
    .option('--json', 'one capture a line as JSON')
    .action(async (flags: ListFlags) => onEnd(await list(context, flags)));
  command(capture, 'verify [table]', 'look whether a capture, or every one, is whole')
    .option('--json', 'one table a line as JSON')
    .action(async (table: string | undefined, flags: ListFlags) => onEnd(await verify(context, table, flags)));
}

function command(capture: Command, usage: string, summary: string): Command {
  return addDatabaseCommand(capture, usage, summary, HELP);
}

async function add(context: Context, table: string, flags: AddFlags): Promise<number> {
  const { key } = flags;
  const result = await withDatabase(context, flags, (database) => addCapture(database, table, { key }));
  if (!result.ok) throw hindered(`${printable(table)} cannot be captured`, result.findings);
  const { capture, changed, warnings } = result;
  for (const finding of warnings) context.terminal.say(described(finding));
  const done = changed ? 'captured' : 'captured already';
  await context.terminal.print(`${printable(capture.table)}: ${done} (key: ${keyText(capture.key)})\n`);
  return EXIT.ok;
}

async function remove(context: Context, table: string, flags: DatabaseFlags): Promise<number> {
  const result = await withDatabase(context, flags, (database) => removeCapture(database, table));
  if (!result.ok) throw hindered(`the capture of ${printable(table)} cannot be removed`, result.findings);
  await context.terminal.print(
    `${printable(result.capture?.table ?? table)}: ${result.capture === undefined ? 'was not captured' : 'no longer captured'}\n`,
  );
  return EXIT.ok;
}

async function list(context: Context, flags: ListFlags): Promise<number> {
  const captures = await withDatabase(context, flags, listCaptures);
  if (captures.length === 0 && flags.json !== true) context.terminal.say('nothing is captured yet');
  for (const { id, table, key, waiting } of captures) {
    const line =
      flags.json === true
        ? JSON.stringify({ id, table: table ?? null, key, waiting })
        : `${id}  ${printable(table ?? '(dropped)')}  key: ${keyText(key)}  waiting: ${waiting}`;
    await context.terminal.print(`${line}\n`);
  }
  return EXIT.ok;
}

async function verify(context: Context, table: string | undefined, flags: ListFlags): Promise<number> {
  const verified = await withDatabase(context, flags, async (database) =>
    table === undefined ? verifyCaptures(database) : [await verifyCapture(database, table)],
  );
  if (verified.length === 0 && flags.json !== true) context.terminal.say('nothing is captured yet');
  for (const one of verified) await context.terminal.print(flags.json === true ? asJson(one) : asText(one));
  return verified.every(({ ok }) => ok) ? EXIT.ok : EXIT.failure;
}

function asJson({ table, ok, findings }: VerifiedCapture): string {
  return `${JSON.stringify({ table, ok, findings })}\n`;
}

function asText({ table, ok, findings }: VerifiedCapture): string {
  return [`${printable(table)}: ${ok ? 'ok' : 'WRONG'}`, ...findings.map(described)]
    .map((line) => `${line}\n`)
    .join('');
}

function hindered(what: string, findings: readonly Finding[]): CommandError {
  const code = findings.every((finding) => finding.code === 'busy') ? EXIT.unreachable : EXIT.failure;
  return new CommandError(code, [`${what}:`, ...findings.map(described)].join('\n'));
}

function described({ severity, message, remedy }: Finding): string {
  return `  ${severity === 'warning' ? 'note: ' : ''}${printable(message)}\n    ${printable(remedy)}`;
}

function keyText(key: readonly string[]): string {
  return printable(key.join(', '));
}
