/**
 * The Postgres server of the tests, and fresh databases on it.
 *
 * `DATABASE_URL` names the server; without it the usual local one is tried. Tests that need it are skipped where there is none,
 * with one line that says how to get one; under `CI=true` its absence is a failure.
 */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';

const SERVER = process.env['DATABASE_URL'] || 'postgres://postgres@127.0.0.1:5432/postgres';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Runs statements beside the store under test. */
  readonly sql: postgres.Sql;
  drop(): Promise<void>;
}

/** The server's address, or `undefined` where there is none. @throws Error where there must be one */
export async function findPostgres(): Promise<string | undefined> {
  const sql = postgres(SERVER, { max: 1, connect_timeout: 5, onnotice: ignore });
  try {
    await sql`select 1`;
    return SERVER;
  } catch (error) {
    const { host } = new URL(SERVER);
    const lack = `No Postgres at ${host} (${error instanceof Error ? error.message : String(error)})`;
    if (process.env['CI'] === 'true') throw new Error(`${lack}: it is needed here.`, { cause: error });
    console.warn(`${lack}: SKIPPING the tests that need it. Start one with: docker compose up -d`);
    return undefined;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Makes an empty database of a name of its own. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `sluice_${randomUUID().replaceAll('-', '')}`;
  await onServer(`create database ${name}`);
  const url = new URL(SERVER);
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { max: 2, onnotice: ignore });
  return {
    url: url.href,
    name,
    sql,
    async drop() {
      await sql.end({ timeout: 1 });
      await onServer(`drop database if exists ${name} with (force)`);
    },
  };
}

async function onServer(statement: string): Promise<void> {
  const sql = postgres(SERVER, { max: 1, onnotice: ignore });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function ignore(): void {
  // Notices («does not exist, skipping») say nothing that a test needs.
}
