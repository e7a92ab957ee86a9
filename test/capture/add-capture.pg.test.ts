import { beforeEach, describe, expect, it } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { listCaptures } from '../../src/capture/list-captures.ts';
import { removeCapture } from '../../src/capture/remove-capture.ts';
import { verifyCapture, verifyCaptures } from '../../src/capture/verify-capture.ts';
import { describeDatabases } from './databases.ts';

const VERSION = 'version integer NOT NULL DEFAULT 1';

describeDatabases('adding a capture', (bench) => {
  beforeEach(async () => {
    for (const { id } of await listCaptures(bench().database)) await removeCapture(bench().database, String(id));
    await bench().run('DROP SCHEMA IF EXISTS shop CASCADE', 'CREATE SCHEMA shop', 'DELETE FROM sluice.changes');
  });
  const add = (table: string, key?: readonly string[]) => addCapture(bench().database, table, { key });
  const verify = (table: string) => verifyCapture(bench().database, table);
  const operations = async () => (await bench().take()).map(({ operation }) => operation).join('');

  it('may be repeated: it keeps the id, says that nothing changed, and touches nothing', async () => {
    await bench().run(`CREATE TABLE shop."Odd ""name" (a int, b int, ${VERSION}, PRIMARY KEY (b, a))`);
    const first = await add('shop."Odd ""name"');
    expect(first).toMatchObject({ ok: true, changed: true, capture: { table: 'shop."Odd ""name"', key: ['b', 'a'] } });
    expect(await add('shop."Odd ""name"')).toEqual({ ...first, changed: false });
    expect(await listCaptures(bench().database)).toMatchObject([{ table: 'shop."Odd ""name"', waiting: 0 }]);
    expect(await verify('shop."Odd ""name"')).toMatchObject({ ok: true, findings: [] });
  });

  it('follows a renamed key, and keeps a key that was told', async () => {
    await bench().run(`CREATE TABLE shop.a (id int PRIMARY KEY, code text NOT NULL UNIQUE, ${VERSION})`);
    await add('shop.a');
    await bench().run('ALTER TABLE shop.a RENAME COLUMN id TO number', 'ALTER TABLE shop.a RENAME TO b');
    expect(await verify('shop.b')).toMatchObject({ ok: false, findings: [{ code: 'key' }] });
    expect(await add('shop.b')).toMatchObject({ ok: true, changed: true, capture: { key: ['number'] } });
    expect(await add('shop.b', ['code'])).toMatchObject({ ok: true, changed: true, capture: { key: ['code'] } });
    expect(await add('shop.b')).toMatchObject({ ok: true, changed: false, capture: { key: ['code'] } });
  });

  it('mends triggers that are gone, off or not ours, and verify names each', async () => {
    await bench().run(
      `CREATE TABLE shop.a (id int PRIMARY KEY, ${VERSION})`,
      'CREATE OR REPLACE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    );
    await add('shop.a');
    await bench().run(
      'DROP TRIGGER "~sluice_version" ON shop.a',
      'ALTER TABLE shop.a DISABLE TRIGGER "!sluice_capture"',
      'DROP TRIGGER "~sluice_truncate" ON shop.a',
      'CREATE TRIGGER "~sluice_truncate" BEFORE TRUNCATE ON shop.a FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()',
    );
    const { ok, findings } = await verify('shop.a');
    expect([ok, findings.map(({ message }) => message)]).toEqual([
      false,
      [
        'The trigger "~sluice_version" of shop.a is missing.',
        'The trigger "!sluice_capture" of shop.a is switched off.',
        'The trigger "~sluice_truncate" of shop.a is not the one that belongs there.',
      ],
    ]);
    expect(await add('shop.a')).toMatchObject({ ok: true, changed: true });
    expect(await verify('shop.a')).toMatchObject({ ok: true });
  });

  it('refuses, and verify tells, of a trigger that would change the row after its version was counted', async () => {
    await bench().run(
      `CREATE TABLE shop.a (id int PRIMARY KEY, ${VERSION})`,
      'CREATE FUNCTION shop.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
      'CREATE TRIGGER "ö" BEFORE UPDATE ON shop.a FOR EACH ROW EXECUTE FUNCTION shop.keep()',
    );
    expect(await add('shop.a')).toMatchObject({ ok: false, findings: [{ code: 'trigger' }] });
  });

  describe('says what a table lacks, and changes nothing', () => {
    const LACKS: readonly (readonly [string, string, string, string])[] = [
      ['no version', 'TABLE shop.x (id int PRIMARY KEY)', 'version', 'ADD COLUMN version integer NOT NULL DEFAULT 1'],
      [
        'a version of another type',
        'TABLE shop.x (id int PRIMARY KEY, version text NOT NULL DEFAULT 1)',
        'version',
        'RENAME COLUMN',
      ],
      [
        'a version of smallint',
        'TABLE shop.x (id int PRIMARY KEY, version smallint NOT NULL DEFAULT 1)',
        'version',
        'RENAME COLUMN',
      ],
      [
        'a version that may be null',
        'TABLE shop.x (id int PRIMARY KEY, version int DEFAULT 1)',
        'version',
        'SET NOT NULL',
      ],
      [
        'a version without default',
        'TABLE shop.x (id int PRIMARY KEY, version int NOT NULL)',
        'version',
        'SET DEFAULT 1',
      ],
      ['no key', `TABLE shop.x (id int, ${VERSION})`, 'key', 'ADD PRIMARY KEY'],
      ['a view', 'VIEW shop.x AS SELECT 1 AS id, 1 AS version', 'not-capturable', 'beneath'],
      ['an unlogged table', `UNLOGGED TABLE shop.x (id int PRIMARY KEY, ${VERSION})`, 'not-capturable', 'SET LOGGED'],
    ];
    it.each(LACKS)('%s', async (_, statement, code, remedy) => {
      await bench().run(`CREATE ${statement}`);
      const result = await add('shop.x');
      expect(result).toMatchObject({ ok: false, findings: [{ code, severity: 'fault' }] });
      expect(JSON.stringify(result)).toContain(remedy);
      expect(await listCaptures(bench().database)).toEqual([]);
      expect(await verify('shop.x')).toMatchObject({ ok: false, findings: [{ code: 'not-captured' }] });
    });

    it('a key that is not unique, not there, or may be null', async () => {
      await bench().run(`CREATE TABLE shop.x (id int NOT NULL, maybe int UNIQUE, ${VERSION})`);
      const codes = async (key: readonly string[]) => {
        const result = await add('shop.x', key);
        return result.ok ? [] : result.findings.map(({ code, remedy }) => [code, remedy]);
      };
      expect(await codes(['id'])).toEqual([['key', 'CREATE UNIQUE INDEX ON shop.x ("id");']]);
      expect(await codes(['maybe'])).toEqual([['key', 'ALTER TABLE shop.x ALTER COLUMN "maybe" SET NOT NULL;']]);
      expect(await codes(['a"; DROP TABLE shop.x; --'])).toMatchObject([['key', expect.anything()]]);
      await bench().run('CREATE UNIQUE INDEX ON shop.x (id)');
      expect(await codes(['id'])).toEqual([]);
    });

    it('tables of Postgres and of Sluice, and names that mean nothing', async () => {
      for (const table of ['pg_catalog.pg_class', 'information_schema.tables', 'sluice.topics'])
        expect(await add(table)).toMatchObject({ ok: false, findings: [{ code: 'not-capturable' }] });
      for (const table of ['', 'a.b.c', 'a b', "x'; DROP SCHEMA shop; --", '"', 'nothing', 'no.thing'])
        expect(await add(table), table).toMatchObject({ ok: false, findings: [{ code: 'no-table' }] });
      await bench().run(`CREATE TABLE shop."Orders" (id int PRIMARY KEY, ${VERSION})`);
      expect(await add('shop.Orders')).toMatchObject({ findings: [{ remedy: `Did you mean '"shop"."Orders"'?` }] });
    });

    it('a table that others inherit from', async () => {
      await bench().run(
        `CREATE TABLE shop.x (id int PRIMARY KEY, ${VERSION})`,
        'CREATE TABLE shop.heir () INHERITS (shop.x)',
      );
      const remedy = 'ALTER TABLE shop.heir NO INHERIT shop.x;';
      expect(await add('shop.x')).toMatchObject({ ok: false, findings: [{ code: 'inheritance', remedy }] });
    });
  });

  it('is undone by removing, which leaves column and rows', async () => {
    await bench().run(`CREATE TABLE shop.a (id int PRIMARY KEY, ${VERSION})`);
    await add('shop.a');
    expect(await removeCapture(bench().database, 'shop.a')).toMatchObject({ ok: true, capture: { table: 'shop.a' } });
    expect(await removeCapture(bench().database, 'shop.a')).toEqual({ ok: true, capture: undefined });
    await bench().run('INSERT INTO shop.a VALUES (1)', 'UPDATE shop.a SET id = 2');
    expect(await operations()).toBe('');
    expect(await bench().ask('SELECT * FROM shop.a')).toEqual([{ id: 2, version: 1 }]);
  });

  it('tells of a captured table that was dropped, and removes it by its id', async () => {
    await bench().run(`CREATE TABLE shop.a (id int PRIMARY KEY, ${VERSION})`);
    await add('shop.a');
    await bench().run('DROP TABLE shop.a');
    const [listed] = await listCaptures(bench().database);
    expect(listed?.table).toBeUndefined();
    expect(await verifyCaptures(bench().database)).toMatchObject([{ ok: false, findings: [{ code: 'dropped' }] }]);
    expect(await removeCapture(bench().database, `${listed?.id}`)).toMatchObject({ ok: true });
    expect(await listCaptures(bench().database)).toEqual([]);
  });

  describe('of a partitioned table', () => {
    beforeEach(async () => {
      await bench().run(
        `CREATE TABLE shop.p (id int, at int, note text, ${VERSION}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
        'CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES FROM (0) TO (10)',
        'CREATE TABLE shop.p2 PARTITION OF shop.p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id)',
        // Its columns stand in another order, and one was dropped.
        'CREATE TABLE shop.p2a (gone int, version integer NOT NULL DEFAULT 1, note text, at int NOT NULL, id int NOT NULL)',
        'ALTER TABLE shop.p2a DROP COLUMN gone',
        'ALTER TABLE shop.p2 ATTACH PARTITION shop.p2a FOR VALUES FROM (0) TO (100)',
      );
      expect(await add('shop.p')).toMatchObject({ ok: true, changed: true });
      await bench().run('INSERT INTO shop.p VALUES (1, 1), (2, 2), (3, 13)');
      expect(await operations()).toBe('III');
    });

    it('tells each change once, and a row that moves as a delete and an insert of the next version', async () => {
      expect(await verify('shop.p')).toMatchObject({ ok: true });
      expect(await add('shop.p')).toMatchObject({ ok: true, changed: false });
      await bench().run(
        'UPDATE shop.p SET at = 12 WHERE id = 1',
        `UPDATE shop.p SET note = 'x'`,
        'UPDATE shop.p SET note = note',
      );
      const [gone, come, ...rest] = await bench().take();
      expect([gone?.operation, JSON.parse(gone?.old ?? '')]).toMatchObject(['D', { id: 1, at: 1, version: 1 }]);
      expect([come?.operation, JSON.parse(come?.new ?? '')]).toMatchObject(['I', { id: 1, at: 12, version: 2 }]);
      expect(rest.map(({ operation }) => operation).join('')).toBe('UUU');
    });

    it.each([
      ['the table', 'shop.p', 3],
      ['a partition', 'shop.p1', 2],
      ['a partition of partitions', 'shop.p2', 1],
      ['the table and a partition at once', 'shop.p, shop.p1', 3],
    ])('tells of each row once when %s is truncated', async (_, tables, rows) => {
      await bench().run(`TRUNCATE ${tables}`);
      expect(await operations()).toBe('D'.repeat(rows));
    });

    it('covers a partition that came later, but for its own truncation, which verify tells and adding again mends', async () => {
      await bench().run(
        'CREATE TABLE shop.p3 PARTITION OF shop.p FOR VALUES FROM (20) TO (30)',
        'INSERT INTO shop.p VALUES (4, 24)',
        `UPDATE shop.p SET note = 'y' WHERE id = 4`,
      );
      expect(await operations()).toBe('IU');
      const { ok, findings } = await verify('shop.p');
      expect([ok, findings.map(({ message }) => message)]).toEqual([
        false,
        ['The trigger "~sluice_truncate" of shop.p3 is missing.'],
      ]);
      await bench().run('TRUNCATE shop.p');
      expect(await operations()).toBe('DDDD');
      expect(await add('shop.p')).toMatchObject({ ok: true, changed: true });
      expect(await verify('shop.p')).toMatchObject({ ok: true });
      await bench().run('INSERT INTO shop.p VALUES (4, 24)', 'TRUNCATE shop.p3', 'TRUNCATE shop.p');
      expect(await operations()).toBe('ID');
    });

    it('forgets a partition that was detached, and a switched-off trigger of one partition is found', async () => {
      await bench().run('ALTER TABLE shop.p1 DISABLE TRIGGER "!sluice_capture"');
      expect(await verify('shop.p')).toMatchObject({ ok: false, findings: [{ code: 'trigger' }] });
      await add('shop.p');
      expect(await verify('shop.p')).toMatchObject({ ok: true });
      await bench().run(
        'ALTER TABLE shop.p DETACH PARTITION shop.p1',
        `UPDATE shop.p1 SET note = 'z'`,
        'TRUNCATE shop.p1',
      );
      expect(await operations()).toBe('');
    });

    it('refuses to capture one of its partitions by itself, and says so to verify', async () => {
      expect(await add('shop.p1')).toMatchObject({ ok: false, findings: [{ code: 'captured-twice' }] });
      expect(await verify('shop.p1')).toMatchObject({ findings: [{ remedy: `sluice capture verify 'shop.p'` }] });
      expect(await removeCapture(bench().database, 'shop.p')).toMatchObject({ ok: true });
      expect(await add('shop.p1')).toMatchObject({ ok: true });
      expect(await add('shop.p')).toMatchObject({ ok: false, findings: [{ code: 'captured-twice' }] });
      await bench().run('TRUNCATE shop.p');
      expect(await operations()).toBe('DD');
    });
  });
});
