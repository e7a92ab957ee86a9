import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { run } from './run.ts';

const server = await findPostgres();

describe.skipIf(server === undefined)('sluice capture on a server', () => {
  let made: TestDatabase;
  beforeAll(async () => {
    made = await createDatabase();
    await made.sql`CREATE TABLE "Odd name" (id int PRIMARY KEY)`;
    await made.sql`CREATE TABLE orders (id int PRIMARY KEY, no int NOT NULL UNIQUE, version int NOT NULL DEFAULT 1)`;
  });
  afterAll(() => made.drop());
  const capture = (...args: readonly string[]) => run(['capture', ...args], { env: { DATABASE_URL: made.url } });

  it('adds, lists, verifies and removes, and may repeat each', async () => {
    expect(await capture('list')).toMatchObject({ code: 0, stdout: '', stderr: 'nothing is captured yet\n' });
    expect(await capture('add', 'orders')).toEqual({
      code: 0,
      stdout: 'public.orders: captured (key: id)\n',
      stderr: '',
    });
    expect(await capture('add', 'orders')).toMatchObject({
      code: 0,
      stdout: 'public.orders: captured already (key: id)\n',
    });
    expect(await capture('add', 'orders', '--key', 'no')).toMatchObject({
      stdout: 'public.orders: captured (key: no)\n',
    });
    await made.sql`INSERT INTO orders VALUES (1, 1)`;
    expect((await capture('list')).stdout).toMatch(/^\d+ {2}public\.orders {2}key: no {2}waiting: 1\n$/);
    expect(JSON.parse((await capture('list', '--json')).stdout)).toMatchObject({
      table: 'public.orders',
      key: ['no'],
      waiting: 1,
    });
    expect(await capture('verify')).toEqual({ code: 0, stdout: 'public.orders: ok\n', stderr: '' });
    await made.sql.unsafe('ALTER TABLE orders DISABLE TRIGGER "!sluice_capture"');
    expect(await capture('verify')).toEqual({
      code: 1,
      stdout: `public.orders: WRONG\n  The trigger "!sluice_capture" of public.orders is switched off.\n    sluice capture add 'public.orders'\n`,
      stderr: '',
    });
    expect(JSON.parse((await capture('verify', 'orders', '--json')).stdout)).toMatchObject({ ok: false });
    expect(await capture('add', 'orders')).toMatchObject({ code: 0 });
    expect(await capture('verify', 'orders')).toMatchObject({ code: 0 });
    expect(await capture('remove', 'orders')).toMatchObject({ code: 0, stdout: 'public.orders: no longer captured\n' });
    expect(await capture('remove', 'orders')).toMatchObject({ code: 0, stdout: 'orders: was not captured\n' });
  });

  it('says what a table lacks, with the statement to run, and ends with 1', async () => {
    const { code, stdout, stderr } = await capture('add', '"Odd name"');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('has no column "version"');
    expect(stderr).toContain('ALTER TABLE public."Odd name" ADD COLUMN version integer NOT NULL DEFAULT 1;');
    expect(await capture('add', 'nothing')).toMatchObject({ code: 1 });
    expect(await capture('verify', 'nothing')).toMatchObject({ code: 1 });
  });
});

describe('sluice capture', () => {
  it('works on the embedded database of a data directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-capture-'));
    try {
      const ended = await run(['capture', 'list', '--data-dir', directory]);
      expect(ended).toEqual({ code: 0, stdout: '', stderr: 'nothing is captured yet\n' });
    } finally {
      await rm(directory, { recursive: true });
    }
  }, 30_000);

  it('ends with 2 where there are no tables, and with 4 where there is no database', async () => {
    expect(await run(['capture', 'list', '--database-url', 'memory:'])).toMatchObject({ code: 2, stdout: '' });
    expect(await run(['capture', 'list', '--database-url', 'http://x'])).toMatchObject({ code: 2, stdout: '' });
    const { code, stderr } = await run(['capture', 'list', '--database-url', 'postgres://u:hidden@127.0.0.1:1/x']);
    expect(code).toBe(4);
    expect(stderr).not.toContain('hidden');
  }, 30_000);
});
