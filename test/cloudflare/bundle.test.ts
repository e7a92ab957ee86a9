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

let bundle: WorkerBundle;
let dir: string;

beforeAll(async () => {
  bundle = await bundleWorker('src/cloudflare/index.ts');
  dir = await mkdtemp(join(tmpdir(), 'sluice-bundle-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('the bundle of the Worker', () => {
  it('wants nothing from outside but the runtime', () => {
    expect(bundle.imports).toEqual(['cloudflare:workers']);
  });

  it('is at most 1 MiB, gzipped', () => {
    const size = gzipSync(bundle.code, { level: 9 }).byteLength;
    console.info(`the Worker is ${Math.round(size / 1024)} KiB, gzipped`);
    expect(size).toBeLessThan(1024 * 1024);
  });

  it('has nothing of Node, of its adapters, or of the command line in it', () => {
    const files = bundle.files.map((file) => relative(ROOT, file));
    const foreign =
      /^src\/(node|cli|client|react|query|widget)\/|node_modules\/(@hono\/node-server|pino|prom-client|postgres|@electric-sql|commander)\//;
    expect(files.filter((file) => foreign.test(file))).toEqual([]);
    expect(files.some((file) => file.startsWith('src/cloudflare/'))).toBe(true);
  });

  it('begins within what the platform allows', async () => {
    // The runtime's own module is all that Node lacks.
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
