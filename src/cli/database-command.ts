/** The database of a command that works on it without a server: the one that a server with the same settings would use. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { readConfig } from '../config/config.ts';
import { lockDataDir } from '../node/data-dir-lock.ts';
import { createDatabaseSocket } from '../node/database-socket.ts';
import type { Database } from '../store/postgres/database.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { Context } from './context.ts';
import { CommandError, EXIT } from './exit.ts';

export interface DatabaseFlags {
  readonly databaseUrl?: string;
  readonly dataDir?: string;
}

/** Adds a command that works on the database. @param help stands below its options */
export function addDatabaseCommand(parent: Command, usage: string, summary: string, help: string): Command {
  return parent
    .command(usage)
    .configureHelp({ showGlobalOptions: false })
    .description(summary)
    .addOption(new Option('--database-url <url>', 'a Postgres server (DATABASE_URL)'))
    .addOption(new Option('--data-dir <dir>', 'where the embedded Postgres is (DATA_DIR)'))
    .addHelpText('after', help);
}

/**
 * Opens the database, runs `work`, and closes it.
 * @throws CommandError when the settings are wrong or the database cannot be had; what `work` throws
 */
export async function withDatabase<Result>(
  { env, terminal }: Context,
  flags: DatabaseFlags,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  // The other settings of a server are none of this command's business, right or wrong.
  const { DATABASE_URL, DATA_DIR } = env;
  const result = readConfig({ DATABASE_URL, DATA_DIR }, { ...flags }, 'dev');
  if (!result.ok)
    throw new CommandError(EXIT.usage, result.mistakes.map(({ name, message }) => `${name} ${message}`).join('\n'));
  const { database } = result.config;
  switch (database.kind) {
    case 'memory':
      throw new CommandError(EXIT.usage, 'DATABASE_URL is memory: there are no tables to capture');
    case 'postgres':
      return use(await connect(database.url), work);
    case 'embedded': {
      const onFault = (error: Error) =>
        terminal.say(`sluice: the lock on the data directory is not fresh: ${error.message}`);
      const lock = await lockDataDir(database.dir, { onFault });
      if (!lock.ok)
        throw new CommandError(
          EXIT.failure,
          `the data directory ${database.dir} is in use by process ${lock.pid}: stop that server first, or name another database (DATABASE_URL)`,
        );
      try {
        const { openPglite } = await import('../store/postgres/pglite.ts');
        return await use(await openPglite(join(database.dir, 'postgres')), work);
      } finally {
        await lock.release();
      }
    }
  }
}

async function connect(url: string): Promise<Database> {
  const { connectPostgres } = await import('../store/postgres/postgres-js.ts');
  try {
    return await connectPostgres({ url, connections: 2, socket: createDatabaseSocket() });
  } catch (error) {
    throw unreachable(error);
  }
}

async function use<Result>(database: Database, work: (database: Database) => Promise<Result>): Promise<Result> {
  try {
    return await work(database);
  } catch (error) {
    throw error instanceof StoreUnavailable ? unreachable(error) : error;
  } finally {
    await database.close();
  }
}

/** Drivers name host and database, never the password. */
function unreachable(error: unknown): CommandError {
  const cause = error instanceof StoreUnavailable && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CommandError(EXIT.unreachable, `the database cannot be used: ${reason}`);
}
