/**
 * A pool between a server and its database that gives out connections by transaction, as Hyperdrive and most hosted poolers do: whatever a
 * transaction leaves behind in a session is met by another's, and no session is there to be listened to.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { findProgram } from '../browser/program.ts';
import { freePort } from './server-process.ts';
import { until } from './until.ts';

export const PGBOUNCER = findProgram(
  'PGBOUNCER',
  ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'],
  'apt-get install pgbouncer',
);

export interface Pgbouncer {
  /** The database's address, through the pool. */
  readonly url: string;
  close(): Promise<void>;
}

/** @param database its address */
export async function startPgbouncer(database: string): Promise<Pgbouncer> {
  if (PGBOUNCER === undefined) throw new Error('there is no pgbouncer: guard the tests with describe.skipIf');
  const { hostname, port, username, password, pathname } = new URL(database);
  const own = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-pgbouncer-'));
  // It does not run as root, and so has to be let in.
  await chmod(dir, 0o755);
  const file = join(dir, 'pgbouncer.ini');
  const login = password === '' ? `user=${username}` : `user=${username} password=${password}`;
  await writeFile(
    file,
    `[databases]
* = host=${hostname} port=${port || 5432} ${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
`,
  );
  const asOther = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child: ChildProcess = spawn(PGBOUNCER, [...asOther, file], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const url = `postgres://${username}@127.0.0.1:${own}${pathname}`;
  const sql = postgres(url, { max: 1, prepare: false, fetch_types: false, onnotice: () => undefined });
  await until('pgbouncer answers', async () => {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}`);
    return sql`select 1`.then(
      () => true,
      () => false,
    );
  });
  await sql.end();
  return {
    url,
    async close() {
      child.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
