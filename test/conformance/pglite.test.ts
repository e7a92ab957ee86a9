import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conformanceOf, ORIGIN } from './server.ts';

let dir = '';

conformanceOf({
  name: 'embedded Postgres',
  database: async () => {
    dir = await mkdtemp(join(tmpdir(), 'sluice-conformance-'));
    return { DATA_DIR: dir };
  },
  durable: true,
  origin: ORIGIN,
  clear: () => rm(dir, { recursive: true, force: true }),
});
