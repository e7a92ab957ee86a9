import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { cuts } from './cuts.ts';
import { endAll, linesOf, type Running, run, start } from './run.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-dev-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

/** Starts `dev` and resolves when it has told where it is. */
async function dev(...args: string[]): Promise<{ readonly running: Running; readonly url: string }> {
  const running = start(['dev', '--port', '0', '--data-dir', join(directory, 'data'), ...args], {}, directory);
  await running.until(({ stdout }) => stdout().includes('Ctrl-C'));
  return { running, url: /running at (\S+)/.exec(running.stdout())![1]! };
}

const inMemory = ['--database-url', 'memory:'];

/** Runs a line of shell as people paste it. `until` ends it early. */
function shell(command: string, until?: (output: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', `exec ${command}`]);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      if (until?.(output)) child.kill();
    });
    child.on('close', () => resolve(output));
  });
}

// A database is started and ended several times.
describe('sluice dev', { timeout: 90_000 }, () => {
  afterEach(endAll);

  test('every command that it shows works as it stands', async () => {
    const { running } = await dev(...inMemory);
    const commands = linesOf(running.stdout())
      .filter((line) => line.startsWith('    curl'))
      .map((line) => line.trim());
    expect(commands).toHaveLength(4);
    const [watch, publish, page, ticket] = commands as [string, string, string, string];
    const watching = shell(watch, (output) => output.includes('"hello"'));
    expect(JSON.parse(await shell(publish))).toMatchObject({ events: [{ topic: 'chat:lobby', type: 'said' }] });
    expect(await watching).toMatch(/event: \$open[\s\S]*"type":"said","data":\{"text":"hello"\}/);
    expect(JSON.parse(await shell(page)).events).toHaveLength(1);
    expect(JSON.parse(await shell(ticket))).toMatchObject({ topics: ['chat:lobby'] });
  });

  test('a token of `sluice token` is one of its own, and the page and the documentation answer', async () => {
    const { url } = await dev(...inMemory);
    const args = ['token', '--subscribe', 'mine', '--data-dir', join(directory, 'data')];
    const token = (await run(args)).stdout.trim();
    const env = { SLUICE_URL: url, SLUICE_TOKEN: token };
    const refused = await run(['publish', 'mine', '1'], { env });
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    expect(refused.stderr).toContain('Not allowed');
    for (const path of ['/', '/docs']) expect((await fetch(url + path)).status, path).toBe(200);
  });

  test('events outlive it in its data directory', async () => {
    const first = await dev();
    const published = await run(['publish', 'kept', '"still here"'], { env: { SLUICE_URL: first.url } });
    expect(published).toMatchObject({ code: 0, stderr: '' });
    first.running.child.kill('SIGTERM');
    expect((await first.running.ended).code).toBe(0);
    const second = await dev();
    const args = ['tail', 'kept', '--after', 'earliest', '--json', '--count', '1'];
    const { stdout } = await run(args, { env: { SLUICE_URL: second.url } });
    expect(JSON.parse(stdout)).toMatchObject({ id: published.stdout.trim(), data: 'still here' });
  });

  test('drains at the first signal: a reader is told, and comes back to the next server for the rest', async () => {
    const { running, url } = await dev();
    const env = { SLUICE_URL: url };
    const tailing = start(['tail', 'drained', '--json', '--count', '2', '--after', 'earliest'], env);
    await run(['publish', 'drained', '1'], { env });
    await tailing.until(({ stdout }) => stdout() !== '');
    running.child.kill('SIGINT');
    expect((await running.ended).code).toBe(0);
    const again = await dev('--port', new URL(url).port);
    await run(['publish', 'drained', '2'], { env: { SLUICE_URL: again.url } });
    const { code, stdout, stderr } = await tailing.ended;
    expect(code).toBe(0);
    expect(linesOf(stdout).map((line) => JSON.parse(line).data)).toEqual([1, 2]);
    expect(stderr).toContain('draining');
  });

  test('lists its topics', async () => {
    const { url } = await dev(...inMemory);
    const env = { SLUICE_URL: url };
    await run(['publish', 'listed', '1'], { env });
    const { code, stdout } = await run(['topics', '--prefix', 'listed'], { env });
    expect(code).toBe(0);
    expect(linesOf(stdout)[1]).toMatch(/^listed +1 /);
  });

  test('tells gaps when the cursor is of another log', async () => {
    const { url } = await dev(...inMemory);
    const env = { SLUICE_URL: url };
    const { stdout: cursor } = await run(['publish', 'lost', '1'], { env });
    const other = await dev(...inMemory);
    await run(['publish', 'lost', '2'], { env: { SLUICE_URL: other.url } });
    const args = ['tail', 'lost', '--after', cursor.trim(), '--json', '--count', '1'];
    const { stdout, stderr } = await run(args, { env: { SLUICE_URL: other.url } });
    expect(JSON.parse(stdout).data).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ control: 'gap', topic: 'lost', reason: 'unknown-epoch' });
  });

  test('says which port is taken, and ends with 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const port = String((taken.address() as AddressInfo).port);
    const { code, stderr } = await run(['dev', ...inMemory, '--port', port, '--data-dir', join(directory, 'data')]);
    taken.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`Port ${port} is in use`);
  });

  test('says that its data directory cannot be used, and ends with 1', async () => {
    const file = join(directory, 'no-directory');
    await writeFile(file, '');
    const { code, stderr } = await run(['dev', ...inMemory, '--data-dir', file]);
    expect({ code, lines: linesOf(stderr) }).toEqual({ code: 1, lines: [expect.stringContaining(file)] });
  });

  test('refuses to be reachable from outside, with 2', async () => {
    const { code, stderr } = await run(['dev', '--host', '0.0.0.0']);
    expect(code).toBe(2);
    expect(stderr).toContain('HOST must be 127.0.0.1');
  });
});

describe('sluice serve', { timeout: 90_000 }, () => {
  afterEach(endAll);

  test('names every mistake at once, and ends with 2', async () => {
    const { code, stdout, stderr } = await run(['serve', '--port', 'x'], { env: { RETENTION_AGE: 'long' } });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const part of ['PORT must be', 'RETENTION_AGE must be', 'AUTH_SECRET is missing', 'openssl rand -base64 48'])
      expect(stderr).toContain(part);
  });

  test('logs JSON lines on stderr, grants nothing without a token, and drains at SIGTERM', async () => {
    const secret = 'a secret of at least thirty-two bytes';
    const env = { AUTH_SECRET: secret, DATABASE_URL: 'memory:', PORT: '0', HOST: '127.0.0.1', REDIS_URL: 'redis://r' };
    const running = start(['serve'], env);
    await running.until(({ stderr }) => stderr().includes('listening'));
    const lines = linesOf(running.stderr()).map((line) => JSON.parse(line));
    expect(lines.some(({ msg }) => /REDIS_URL/.test(msg))).toBe(true);
    const { url } = lines.find(({ msg }) => msg === 'listening');
    expect(await run(['publish', 't', '1'], { env: { SLUICE_URL: url } })).toMatchObject({ code: 3 });
    const token = (await run(['token', '--publish', 't'], { env: { AUTH_SECRET: secret } })).stdout.trim();
    const published = await run(['publish', 't', '1'], { env: { SLUICE_URL: url, SLUICE_TOKEN: token } });
    expect(published).toMatchObject({ code: 0, stderr: '' });
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0, stdout: '' });
    for (const line of linesOf(running.stderr())) expect(() => JSON.parse(line), line).not.toThrow();
  });
});

describe('commands and the real server, over a line that is cut', () => {
  cuts(async () => {
    const { running, url } = await dev(...inMemory);
    return {
      port: Number(new URL(url).port),
      close() {
        running.child.kill('SIGKILL');
        return running.ended;
      },
    };
  });
});
