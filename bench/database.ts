/** A database of its own for each run. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';

/** Where the Postgres server is, when `BENCH_DATABASE_URL` does not say: any database on it in which we may create others. */
const DEFAULT_URL = 'postgres://postgres@127.0.0.1:5432/postgres';

export interface Database {
  readonly url: string;
  /** For the heading of the table. */
  readonly version: string;
  /** Drops it, whoever is still connected. */
  drop(): Promise<void>;
}

export async function createDatabase(): Promise<Database> {
  const home = process.env['BENCH_DATABASE_URL'] ?? DEFAULT_URL;
  const name = `sluice_bench_${randomBytes(6).toString('hex')}`;
  const version = await once(home, async (sql) => {
    await sql.unsafe(`create database ${name}`);
    const [row] = await sql`show server_version`;
    return String(row?.['server_version']).split(' ', 1)[0] ?? '';
  });
  const url = new URL(home);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    version,
    drop: () => once(home, async (sql) => void (await sql.unsafe(`drop database if exists ${name} with (force)`))),
  };
}

async function once<Result>(url: string, work: (sql: postgres.Sql) => Promise<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}
