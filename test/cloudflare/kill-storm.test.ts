import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { STORM_SETTINGS, survivesKills } from '../crash/storm.ts';
import { killWorkers, startWorkerProcess } from './worker-process.ts';

afterAll(killWorkers);

describe('workerd, killed twenty times in the middle of a publish storm', () => {
  it('loses nothing, repeats nothing, and keeps every order', { timeout: 300_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-storm-'));
    try {
      await survivesKills((port) => startWorkerProcess({ PORT: `${port}`, DIR: dir, ...STORM_SETTINGS }));
    } finally {
      killWorkers();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
