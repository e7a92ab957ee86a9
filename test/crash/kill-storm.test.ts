import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { killServers, startServerProcess } from '../support/server-process.ts';
import { STORM_SETTINGS, survivesKills } from './storm.ts';

const server = await findPostgres();
afterAll(killServers);

describe('a server that is killed twenty times in the middle of a publish storm', () => {
  it('over PGlite loses nothing, repeats nothing, and keeps every order', { timeout: 300_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-storm-'));
    try {
      await survivesKills((port) => startServerProcess('serve', { PORT: `${port}`, DATA_DIR: dir, ...STORM_SETTINGS }));
    } finally {
      killServers();
      await rm(dir, { recursive: true, force: true });
    }
  });

  it.skipIf(server === undefined)(
    'over Postgres loses nothing, repeats nothing, and keeps every order',
    { timeout: 300_000 },
    async () => {
      const made = await createDatabase();
      try {
        await survivesKills((port) =>
          startServerProcess('serve', { PORT: `${port}`, DATABASE_URL: made.url, ...STORM_SETTINGS }),
        );
      } finally {
        killServers();
        await made.drop();
      }
    },
  );
});
