import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { installRowSecurity } from '../../src/records/install-row-security.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { describeDatabases, describeServer } from '../capture/databases.ts';

describeDatabases('row security', (bench) => {
  it('gets its roles and functions once, and policies that read the claims', async () => {
    const first = await installRowSecurity(bench().database);
    expect(first).toMatchObject({ ok: true });
    expect(first.ok && first.done.length).toBeGreaterThan(3);
    expect(await installRowSecurity(bench().database)).toEqual({ ok: true, done: [] });

    const sub = randomUUID();
    await bench().run(
      'CREATE TABLE notes (id int PRIMARY KEY, owner uuid)',
      `INSERT INTO notes VALUES (1, '${sub}'), (2, '${randomUUID()}')`,
      'ALTER TABLE notes ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY own ON notes TO authenticated USING (owner = auth.uid())',
      'GRANT SELECT ON notes TO anon, authenticated',
    );
    const seen = (role: string, claims: string) =>
      bench().database.transaction(async ({ query }) => {
        await query(`SELECT set_config('request.jwt.claims', $1, true)`, [claims]);
        await query(`SET LOCAL ROLE ${role}`);
        const [who] = await query<object>(
          'SELECT auth.uid()::text AS uid, auth.role() AS role, auth.jwt() ->> $1 AS more',
          ['more'],
        );
        return { ...who, ids: (await query<{ id: number }>('SELECT id FROM notes')).map(({ id }) => id) };
      });
    const claims = JSON.stringify({ sub, role: 'authenticated', more: 'x' });
    expect(await seen('authenticated', claims)).toEqual({ uid: sub, role: 'authenticated', more: 'x', ids: [1] });
    expect(await seen('anon', '{}')).toEqual({ uid: null, role: null, more: null, ids: [] });
    expect(await seen('anon', '')).toEqual({ uid: null, role: null, more: null, ids: [] });
  });
});

describeServer('row security', (bench) => {
  it('leaves functions that are there as they are', async () => {
    await bench().run(
      'CREATE SCHEMA auth',
      `CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS $$ SELECT '00000000-0000-0000-0000-000000000001'::uuid $$`,
    );
    expect(await installRowSecurity(bench().database)).toMatchObject({ ok: true });
    const [row] = await bench().ask<{ uid: string }>('SELECT auth.uid()::text AS uid');
    expect(row?.uid).toMatch(/1$/);
    await bench().run('DROP SCHEMA IF EXISTS auth CASCADE');
  });

  it('may be asked for by several nodes at once', async () => {
    const all = await Promise.all([1, 2, 3].map(() => installRowSecurity(bench().database)));
    expect(all.map(({ ok }) => ok)).toEqual([true, true, true]);
    await bench().run('DROP SCHEMA IF EXISTS auth CASCADE');
  });

  it('answers with the statements to run where the right is missing, and changes nothing', async () => {
    const role = `r_${randomUUID().replaceAll('-', '')}`;
    const url = new URL(bench().server?.url ?? '');
    url.username = role;
    await bench().run(
      `CREATE ROLE ${role} LOGIN`,
      `GRANT USAGE ON SCHEMA sluice TO ${role}`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA sluice TO ${role}`,
    );
    const database = await connectPostgres({ url: url.href });
    try {
      const result = await installRowSecurity(database);
      expect(result).toMatchObject({ ok: false, reason: expect.stringMatching(/permission denied|must have/) });
      if (result.ok) throw new Error('it had no right');
      expect(result.statements).toContain(`GRANT anon TO ${role}`);
      expect(await installRowSecurity(database)).toEqual(result);
      await bench().run(...result.statements);
      expect(await installRowSecurity(database)).toEqual({ ok: true, done: [] });
    } finally {
      await database.close();
      await bench().run('DROP SCHEMA IF EXISTS auth CASCADE', `DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
    }
  });
});
