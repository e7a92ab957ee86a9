import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Config, readConfig } from '../../src/config/config.ts';
import { lockDataDir } from '../../src/node/data-dir-lock.ts';
import { startServer } from '../../src/node/server.ts';
import { StartError } from '../../src/node/start-error.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-server-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

function configOf(env: Readonly<Record<string, string>>): Config {
  const result = readConfig({ PORT: '0', LOG_LEVEL: 'silent', ...env }, {}, 'dev');
  if (!result.ok) throw new Error(JSON.stringify(result.mistakes));
  return result.config;
}

/** Where the tests that need a database keep it: it takes long to make. */
const kept = () => join(directory, 'kept');

async function failureOf(config: Config): Promise<unknown> {
  const outcome = await startServer(config, { mode: 'dev' }).catch((error: unknown) => error);
  if (!(outcome instanceof Error)) throw new Error('the server has started');
  return outcome;
}

async function expectFree(dir: string): Promise<void> {
  const lock = await lockDataDir(dir);
  expect(lock.ok).toBe(true);
  if (lock.ok) await lock.release();
}

describe('a server that cannot start', { timeout: 120_000 }, () => {
  it('says that its data directory cannot be made', async () => {
    const dir = join(directory, 'file');
    await writeFile(dir, '');
    const error = await failureOf(configOf({ DATA_DIR: dir }));
    expect(error).toBeInstanceOf(StartError);
    expect(error).toMatchObject({ code: 'database', message: expect.stringContaining(dir) });
  });

  it('says that its data directory cannot be locked', async () => {
    const dir = join(directory, 'unlockable');
    await mkdir(join(dir, 'lock'), { recursive: true });
    const error = await failureOf(configOf({ DATA_DIR: dir }));
    expect(error).toBeInstanceOf(StartError);
    expect(error).toMatchObject({ code: 'database', message: expect.stringContaining('EISDIR') });
  });

  it('gives its data directory back when the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    expect(await failureOf(configOf({ PORT: `${port}`, DATA_DIR: kept() }))).toMatchObject({ code: 'port-in-use' });
    await expectFree(kept());
  });

  it('gives its data directory back when the app cannot be made of its parts', async () => {
    const config = configOf({ DATA_DIR: kept() });
    const broken = { ...config, auth: { ...config.auth, jwksUrl: 'no URL' } };
    expect(await failureOf(broken)).toBeInstanceOf(TypeError);
    await expectFree(kept());
  });
});
