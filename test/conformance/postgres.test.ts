import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { conformanceOf, ORIGIN } from './server.ts';

const SERVER = process.env['TEST_DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const database = `conformance_${randomUUID().replaceAll('-', '')}`;

/** Runs one statement on the server, outside the database of the test. */
async function run(statement: string): Promise<void> {
  const sql = postgres(SERVER, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

conformanceOf({
  name: 'Postgres',
  database: async () => {
    await run(`create database ${database}`);
    const url = new URL(SERVER);
    url.pathname = `/${database}`;
    return { DATABASE_URL: url.href };
  },
  durable: true,
  origin: ORIGIN,
  shared: true,
  clear: () => run(`drop database if exists ${database} with (force)`),
});
