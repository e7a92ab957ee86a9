/** What is deployed: how large it is, what is in it, and what it costs to begin. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorker, type WorkerBundle } from '../support/worker-bundle.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** What the platform allows for the start, in ms of CPU, with room for a slower machine ("Workers limits", startup time: 1 s). */
const START_MS = 400;

/** The Worker as it is, and one with collections. */
const ENTRIES = [
  {
    name: 'of the Worker',
    entry: 'src/cloudflare/index.ts',
    imports: /^cloudflare:workers$/,
    foreign:
      /^src\/(node|cli|client|react|query|widget|capture|cloudflare\/collections)\/|node_modules\/(@hono\/node-server|pino|prom-client|postgres|drizzle-orm|@electric-sql|commander)\//,
  },
  {
    name: 'of a Worker with collections',
    entry: 'test/cloudflare/stream-tables-worker.ts',
    imports: /^(cloudflare:(workers|sockets)|node:(buffer|events|stream))$/,
    // What opens sessions: for locks, to listen, to migrate.
    foreign:
      /^src\/(node|cli|client|react|query|widget)\/|^src\/(bus\/postgres|store\/postgres\/(postgres-js|pglite|migrations))\.ts$|node_modules\/(@hono\/node-server|pino|prom-client|@electric-sql|commander)\//,
  },
];

describe.each(ENTRIES)('the bundle $name', ({ entry, imports, foreign }) => {
  let bundle: WorkerBundle;
  let dir: string;

  beforeAll(async () => {
    bundle = await bundleWorker(entry);
    dir = await mkdtemp(join(tmpdir(), 'sluice-bundle-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('wants nothing from outside but the runtime', () => {
    expect(bundle.imports.filter((name) => !imports.test(name))).toEqual([]);
    expect(bundle.imports).toContain('cloudflare:workers');
  });

  it('is at most 1 MiB, gzipped', () => {
    const size = gzipSync(bundle.code, { level: 9 }).byteLength;
    console.info(`it is ${Math.round(size / 1024)} KiB, gzipped`);
    expect(size).toBeLessThan(1024 * 1024);
  });

  it('has nothing of Node, of its adapters, or of the command line in it', () => {
    const files = bundle.files.map((file) => relative(ROOT, file));
    expect(files.filter((file) => foreign.test(file))).toEqual([]);
    expect(files.some((file) => file.startsWith('src/cloudflare/'))).toBe(true);
  });

  it('asks for no lock that a session holds, and listens to nothing', () => {
    expect(bundle.code).not.toMatch(/pg_(try_)?advisory_lock/);
    expect(bundle.code).not.toMatch(/LISTEN sluice/i);
  });

  it('begins within what the platform allows', async () => {
    // The runtime's own modules are all that Node lacks.
    const code = bundle.code.replace(/from\s*["']cloudflare:workers["']/, 'from "./workers.mjs"');
    await writeFile(join(dir, 'workers.mjs'), 'export class DurableObject {}\n');
    await writeFile(join(dir, 'worker.mjs'), code);
    const measure = `const before = process.cpuUsage(); await import(${JSON.stringify(join(dir, 'worker.mjs'))});
      const { user, system } = process.cpuUsage(before); console.log((user + system) / 1000)`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', measure]);
    console.info(`it begins in ${Math.round(Number(stdout))} ms of CPU`);
    expect(Number(stdout)).toBeGreaterThan(0);
    expect(Number(stdout)).toBeLessThan(START_MS);
  });
});
