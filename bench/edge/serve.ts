/** Serves a Worker in workerd for the bench: `SUBJECT` says which. Tells its port and the process that does the work. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Miniflare } from 'miniflare';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SUBJECTS = {
  sluice: {
    entry: 'src/cloudflare/index.ts',
    objects: {
      SLUICE_TOPICS: 'SluiceTopic',
      SLUICE_SYSTEM: 'SluiceSystem',
      SLUICE_GATES: 'SluiceGate',
      SLUICE_RELAYS: 'SluiceRelay',
    },
  },
  echo: { entry: 'bench/edge/echo-worker.ts', objects: { ECHO: 'Echo' } },
} as const;

const { SUBJECT, ...env } = process.env;
const { entry, objects } = SUBJECTS[SUBJECT === 'sluice' ? 'sluice' : 'echo'];
const build = await rolldown({
  input: `${ROOT}${entry}`,
  platform: 'neutral',
  resolve: { mainFields: ['module', 'main'], conditionNames: ['workerd', 'worker', 'browser', 'import'] },
  external: [/^cloudflare:/],
});
const { output } = await build.generate({ format: 'esm', codeSplitting: false });
await build.close();
const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
const settings = Object.entries(env).filter(([name]) => /^(AUTH|LIMIT|LOG|RETENTION)_/.test(name));
const worker = new Miniflare({
  modules: [{ type: 'ESModule', path: 'worker.mjs', contents: output[0].code }],
  compatibilityDate: '2026-01-01',
  compatibilityFlags: ['enable_request_signal'],
  host: '127.0.0.1',
  port: 0,
  bindings: Object.fromEntries(settings.flatMap(([name, value]) => (value ? [[name, value]] : []))),
  durableObjects: Object.fromEntries(
    Object.entries(objects).map(([binding, className]) => [binding, { className, useSQLite: true }]),
  ),
  durableObjectsPersist: dir,
});
const { port } = await worker.ready;
process.once('SIGTERM', () => void worker.dispose().then(() => process.exit(0)));
process.send?.({ port: Number(port) });
