import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureDevSecret, readDevSecret } from '../../src/cli/dev-secret.ts';
import { linesOf, run } from './run.ts';
import { startWireServer, type WireServer } from './wire-server.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-token-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

const secret = 'a secret of at least thirty-two bytes';
const verify = (token: string, key = secret) => jwtVerify(token.trim(), new TextEncoder().encode(key));

describe('sluice token', () => {
  test('signs the claims asked for and prints nothing else', async () => {
    const args = [
      'token',
      '--sub',
      'ada',
      '--role',
      'editor',
      '--subscribe',
      'chat:*',
      'news',
      '--publish',
      'chat:lobby',
    ];
    const { code, stdout, stderr } = await run([...args, '--presence', '**', '--admin', '--ttl', '90s'], {
      env: { AUTH_SECRET: secret, AUTH_ISSUER: 'https://id.example', AUTH_AUDIENCE: 'one, two' },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { payload, protectedHeader } = await verify(stdout);
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(payload).toMatchObject({
      sub: 'ada',
      role: 'editor',
      iss: 'https://id.example',
      aud: 'one',
      sluice: { subscribe: ['chat:*', 'news'], publish: ['chat:lobby'], presence: ['**'], admin: true },
    });
    expect(payload.exp! - payload.iat!).toBe(90);
    expect(payload.jti).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('holds for an hour unless told, and warns when it grants nothing', async () => {
    const { code, stdout, stderr } = await run(['token'], { env: { AUTH_SECRET: secret } });
    expect(code).toBe(0);
    expect(stderr).toContain('grants nothing');
    const { payload } = await verify(stdout);
    expect(payload.exp! - payload.iat!).toBe(3600);
  });

  test('uses the secret of the development server when there is no other', async () => {
    const dataDir = join(directory, 'dev');
    const kept = await ensureDevSecret(dataDir);
    const { stdout } = await run(['token', '--admin', '--data-dir', dataDir]);
    await verify(stdout, kept);
    const nothing = await run(['token', '--admin'], { env: { DATA_DIR: join(directory, 'none') } });
    expect(nothing).toMatchObject({ code: 2, stdout: '' });
    expect(nothing.stderr).toContain('AUTH_SECRET is not set');
  });

  test('refuses what is no pattern and no duration', async () => {
    for (const args of [
      ['--subscribe', 'a b'],
      ['--publish', '**:a'],
      ['--ttl', 'soon'],
      ['--ttl', '10ms'],
    ])
      expect((await run(['token', ...args], { env: { AUTH_SECRET: secret } })).code, args.join(' ')).toBe(2);
  });
});

describe('the secret of dev', () => {
  test('is made once, for its owner alone, by however many at the same time', async () => {
    const dataDir = join(directory, 'race', 'deep');
    const secrets = await Promise.all(Array.from({ length: 2 }, () => ensureDevSecret(dataDir)).concat());
    expect(new Set([...secrets, await readDevSecret(dataDir)]).size).toBe(1);
    expect(Buffer.from(secrets[0]!, 'base64').byteLength).toBe(48);
    expect((await stat(join(dataDir, 'dev-secret'))).mode & 0o777).toBe(0o600);
  });

  test('an empty file is told, not used', async () => {
    const dataDir = join(directory, 'empty');
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'dev-secret'), '\n');
    expect(await readDevSecret(dataDir)).toBeUndefined();
    await expect(ensureDevSecret(dataDir)).rejects.toThrow('is empty');
  });
});

describe('sluice topics', () => {
  let server: WireServer;
  beforeAll(async () => {
    server = await startWireServer();
  });
  afterAll(() => server.close());
  const topics = (...args: string[]) => run(['topics', ...args], { env: { SLUICE_URL: server.url } });

  test('says so when there are none', async () => {
    expect(await topics()).toEqual({ code: 0, stdout: '', stderr: 'no topics yet\n' });
  });

  test('lists all pages as one aligned table, or as JSON', async () => {
    for (const topic of ['a', 'bb:long', 'c', 'd', 'e']) server.publish(topic, 1);
    server.publish('bb:long', 2);
    const { code, stdout } = await topics();
    expect(code).toBe(0);
    const [header, ...rows] = linesOf(stdout);
    expect(header).toMatch(/^TOPIC {4}EVENTS {5}SIZE {2}READERS {2}UPDATED {2}CURSOR$/);
    expect(rows.map((row) => row.split(/ {2,}/)[0])).toEqual(['a', 'bb:long', 'c', 'd', 'e']);
    expect(rows[1]).toMatch(/^bb:long {7}2 {2}2\.0 KiB {8}0 {2}- {8}[0-9a-z]{10}-2$/);
    const json = linesOf((await topics('--json')).stdout).map((line) => JSON.parse(line));
    expect(json.map(({ topic, events }) => [topic, events])).toEqual([
      ['a', 1],
      ['bb:long', 2],
      ['c', 1],
      ['d', 1],
      ['e', 1],
    ]);
  });
});
