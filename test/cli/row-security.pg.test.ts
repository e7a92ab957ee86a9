import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { run } from './run.ts';

describe.skipIf((await findPostgres()) === undefined)('sluice row-security', () => {
  let made: TestDatabase;
  beforeAll(async () => {
    made = await createDatabase();
  });
  afterAll(() => made.drop());

  const ask = (action: string) => run(['row-security', action], { env: { DATABASE_URL: made.url } });

  it('prints what is missing, creates it, and finds nothing to do after that', async () => {
    const printed = await ask('print');
    expect(printed.code).toBe(0);
    expect(printed.stdout).toContain('CREATE FUNCTION auth.uid() RETURNS uuid');
    const installed = await ask('install');
    expect([installed.code, installed.stdout]).toEqual([0, printed.stdout]);
    const [row] = await made.sql`SELECT auth.uid() AS uid, auth.jwt() AS jwt`;
    expect(row).toEqual({ uid: null, jwt: null });
    expect(await ask('install')).toMatchObject({ code: 0, stdout: '', stderr: 'everything was there already\n' });
    expect(await ask('print')).toMatchObject({ code: 0, stdout: '', stderr: 'nothing is missing\n' });
  });
});
