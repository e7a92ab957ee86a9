import { createHash } from 'node:crypto';
import { beforeEach, expect, it } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { verifyCapture } from '../../src/capture/verify-capture.ts';
import { type Bench, describeDatabases, type Waiting } from './databases.ts';

const VERSION = 'version integer NOT NULL DEFAULT 1';

/** What a change says, its images parsed. */
function told(changes: readonly Waiting[]) {
  return changes.map(({ operation, old, new: after }) => [
    operation,
    JSON.parse(old ?? 'null'),
    JSON.parse(after ?? 'null'),
  ]);
}

describeDatabases('a captured table', (bench) => {
  let count = 0;
  /** A fresh table of these columns, captured. */
  async function captured(columns: string, key?: readonly string[]): Promise<string> {
    count += 1;
    const table = `t${count}`;
    await bench().run(`CREATE TABLE ${table} (${columns})`);
    expect(await addCapture(bench().database, table, { key })).toMatchObject({ ok: true });
    return table;
  }
  beforeEach(async () => {
    await bench().take();
  });

  it('tells of inserts, updates and deletes with both images, and counts versions', async () => {
    const t = await captured(`id int PRIMARY KEY, name text, ${VERSION}`);
    await bench().run(
      `INSERT INTO ${t} VALUES (1, 'a'), (2, 'b')`,
      `UPDATE ${t} SET name = upper(name)`,
      `DELETE FROM ${t} WHERE id = 2`,
    );
    const changes = await bench().take();
    expect(told(changes)).toEqual([
      ['I', null, { id: 1, name: 'a', version: 1 }],
      ['I', null, { id: 2, name: 'b', version: 1 }],
      ['U', { id: 1, name: 'a', version: 1 }, { id: 1, name: 'A', version: 2 }],
      ['U', { id: 2, name: 'b', version: 1 }, { id: 2, name: 'B', version: 2 }],
      ['D', { id: 2, name: 'B', version: 2 }, null],
    ]);
    expect(new Set(changes.map(({ xact }) => xact)).size).toBe(3);
  });

  it('says nothing of an update that changes nothing, and keeps its version', async () => {
    const t = await captured(
      `id int PRIMARY KEY, n numeric, j json, g int GENERATED ALWAYS AS (id * 2) STORED, ${VERSION}`,
    );
    await bench().run(`INSERT INTO ${t} (id, n, j) VALUES (1, 1.0, '{"a": 1}')`);
    await bench().take();
    await bench().run(`UPDATE ${t} SET n = 1.0, j = '{"a": 1}'`);
    expect(await bench().take()).toEqual([]);
    // A number of another scale is another text, and a generated column follows.
    await bench().run(`UPDATE ${t} SET n = 1.00`, `UPDATE ${t} SET id = 2`);
    expect(told(await bench().take())).toMatchObject([
      ['U', { version: 1, g: 2 }, { version: 2, g: 2 }],
      ['U', { version: 2, g: 2 }, { id: 2, version: 3, g: 4 }],
    ]);
  });

  it('takes a generated column that came later for a change, until its capture is added again', async () => {
    const t = await captured(`id int PRIMARY KEY, ${VERSION}`);
    await bench().run(
      `ALTER TABLE ${t} ADD COLUMN g int GENERATED ALWAYS AS (id * 2) STORED`,
      `INSERT INTO ${t} VALUES (1)`,
    );
    expect(await verifyCapture(bench().database, t)).toMatchObject({ ok: false, findings: [{ code: 'trigger' }] });
    expect(await addCapture(bench().database, t)).toMatchObject({ ok: true, changed: true });
    await bench().take();
    await bench().run(`UPDATE ${t} SET id = 1`);
    expect(await bench().take()).toEqual([]);
  });

  it('keeps every digit, every zone and every kind of value', async () => {
    await bench().run(
      `CREATE TYPE mood AS ENUM ('sad', 'ok')`,
      `CREATE DOMAIN cents AS bigint CHECK (VALUE >= 0)`,
      `CREATE TYPE spot AS (x int, y int)`,
    );
    const t = await captured(
      `id bigint PRIMARY KEY, n numeric, at timestamptz, local timestamp, m mood, ms mood[], c cents, s spot, b bytea,
       ns numeric[], i interval, f float8, r tstzrange, ${VERSION}`,
    );
    await bench().database.transaction(async ({ query }) => {
      // An image must not depend on who writes.
      for (const setting of [
        "TimeZone = 'Asia/Tokyo'",
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'postgres_verbose'",
        'extra_float_digits = -10',
        "bytea_output = 'escape'",
      ])
        await query(`SET LOCAL ${setting}`);
      await query(
        `INSERT INTO ${t} VALUES (9223372036854775807, 12345678901234567890.123456789012345678900, '2024-03-01 12:00:00.123456+05:30',
         '2024-03-01 12:00:00', 'ok', '{sad,ok}', 42, '(1,2)', '\\x00ff', '{1.10,9007199254740993}', '1 day 2 hours', 0.1::float8 + 0.2::float8,
         '[2024-01-01 00:00:00+00,2024-01-02 00:00:00+00)')`,
      );
    });
    const [change] = await bench().take();
    for (const text of [
      '"id": 9223372036854775807',
      '"n": 12345678901234567890.123456789012345678900',
      '"at": "2024-03-01T06:30:00.123456+00:00"',
      '"local": "2024-03-01T12:00:00"',
      '"m": "ok"',
      '"ms": ["sad", "ok"]',
      '"c": 42',
      '"s": {"x": 1, "y": 2}',
      '"b": "\\\\x00ff"',
      '"ns": [1.10, 9007199254740993]',
      '"i": "P1DT2H"',
      '"f": 0.30000000000000004',
      '"r": "[\\"2024-01-01 00:00:00+00\\",\\"2024-01-02 00:00:00+00\\")"',
    ])
      expect(change?.new).toContain(text);
  });

  it('follows columns that are renamed, added and dropped, and tables that are renamed', async () => {
    const t = await captured(`id int PRIMARY KEY, a text, b text, ${VERSION}`);
    await bench().run(
      `ALTER TABLE ${t} RENAME COLUMN a TO c`,
      `ALTER TABLE ${t} DROP COLUMN b`,
      `ALTER TABLE ${t} ADD COLUMN d int DEFAULT 7`,
      `ALTER TABLE ${t} ALTER COLUMN c TYPE varchar(9)`,
      `ALTER TABLE ${t} RENAME TO "${t} renamed"`,
      `INSERT INTO "${t} renamed" VALUES (1, 'x')`,
      `UPDATE "${t} renamed" SET c = 'y'`,
    );
    expect(told(await bench().take())).toEqual([
      ['I', null, { id: 1, c: 'x', d: 7, version: 1 }],
      ['U', { id: 1, c: 'x', d: 7, version: 1 }, { id: 1, c: 'y', d: 7, version: 2 }],
    ]);
    expect(await verifyCapture(bench().database, `"${t} renamed"`)).toMatchObject({ ok: true });
  });

  it('takes columns of any name, whatever the capture calls its own things', async () => {
    const t = await captured(
      `"a ""quoted"" name" int, t int, k int, v_old int, "new" int, tg_op int, ${VERSION}, PRIMARY KEY ("a ""quoted"" name", t)`,
    );
    await bench().run(`INSERT INTO ${t} VALUES (1, 2, 3, 4, 5, 6)`, `UPDATE ${t} SET v_old = 8`, `TRUNCATE ${t}`);
    const row = { 'a "quoted" name': 1, t: 2, k: 3, v_old: 4, new: 5, tg_op: 6, version: 1 };
    const after = { ...row, v_old: 8, version: 2 };
    expect(told(await bench().take())).toEqual([
      ['I', null, row],
      ['U', row, after],
      ['D', after, null],
    ]);
  });

  it('has both images of a value that is kept aside, also when the update did not touch it', async () => {
    const t = await captured(`id int PRIMARY KEY, big text, n int, ${VERSION}`);
    await bench().run(
      `INSERT INTO ${t} SELECT 1, string_agg(md5(i::text), '') FROM generate_series(1, 2000) i`,
      `UPDATE ${t} SET n = 1`,
    );
    const [, change] = told(await bench().take());
    expect(change?.[1].big).toHaveLength(64_000);
    expect(change?.[2].big).toBe(change?.[1].big);
  });

  it('leaves out of a row that is too large its largest columns, and notes only key and version of one that jsonb cannot hold', async () => {
    const t = await captured(`a int, "b c" text, big text, j json, ${VERSION}, PRIMARY KEY (a, "b c")`);
    await bench().run(
      `INSERT INTO ${t} VALUES (1, 'k', repeat('x', 1100000))`,
      `UPDATE ${t} SET big = 'small'`,
      `UPDATE ${t} SET j = '{"nul": "\\u0000"}'`,
      `UPDATE ${t} SET j = '1e200000'`,
      `UPDATE ${t} SET j = null`,
      `UPDATE ${t} SET big = repeat('x', 1100000)`,
      `UPDATE ${t} SET big = repeat('y', 1100000)`,
      `TRUNCATE ${t}`,
    );
    const digest = (text: string) => createHash('sha256').update(JSON.stringify(text)).digest('hex');
    const large = (version: number) => ({ a: 1, 'b c': 'k', version, $large: true });
    const without = (version: number, letter: string) => ({
      a: 1,
      'b c': 'k',
      j: null,
      version,
      $large: { big: digest(letter.repeat(1_100_000)) },
    });
    const small = (version: number) => ({ a: 1, 'b c': 'k', big: 'small', j: null, version });
    expect(told(await bench().take())).toEqual([
      ['I', null, without(1, 'x')],
      ['U', without(1, 'x'), small(2)],
      ['U', small(2), large(3)],
      ['U', large(3), large(4)],
      ['U', large(4), small(5)],
      ['U', small(5), without(6, 'x')],
      ['U', without(6, 'x'), without(7, 'y')],
      ['D', without(7, 'y'), null],
    ]);
  });

  it('keeps of a row that is too large as much as fits, and every column below 8 KiB', async () => {
    const sizes = [100, 8000, 300_000, 400_000, 500_000, 600_000];
    const columns = sizes.map((size) => `c${size} text`);
    const t = await captured(`id int PRIMARY KEY, ${columns.join(', ')}, ${VERSION}`);
    await bench().run(`INSERT INTO ${t} SELECT 1, ${sizes.map((size) => `repeat('x', ${size})`).join(', ')}`);
    const [change] = await bench().take();
    const { $large, ...kept } = JSON.parse(change?.new ?? '');
    expect(Object.keys(kept).toSorted()).toEqual(['c100', 'c300000', 'c400000', 'c8000', 'id', 'version']);
    expect(Object.keys($large).toSorted()).toEqual(['c500000', 'c600000']);
  });

  it('tells of upserts as what they did, and of rows that a foreign key took along', async () => {
    const parent = await captured(`id int PRIMARY KEY, ${VERSION}`);
    const child = await captured(
      `id int PRIMARY KEY, parent int REFERENCES ${parent} ON DELETE CASCADE ON UPDATE CASCADE, ${VERSION}`,
    );
    await bench().run(
      `INSERT INTO ${parent} VALUES (1)`,
      `INSERT INTO ${parent} VALUES (1) ON CONFLICT DO NOTHING`,
      `INSERT INTO ${child} VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET parent = null`,
      `INSERT INTO ${child} VALUES (1, null) ON CONFLICT (id) DO UPDATE SET parent = excluded.parent WHERE false`,
      `UPDATE ${parent} SET id = 2`,
      `DELETE FROM ${parent}`,
    );
    expect(told(await bench().take())).toEqual([
      ['I', null, { id: 1, version: 1 }],
      ['I', null, { id: 1, parent: 1, version: 1 }],
      ['U', { id: 1, version: 1 }, { id: 2, version: 2 }],
      ['U', { id: 1, parent: 1, version: 1 }, { id: 1, parent: 2, version: 2 }],
      ['D', { id: 2, version: 2 }, null],
      ['D', { id: 1, parent: 2, version: 2 }, null],
    ]);
  });

  it('tells of MERGE, where the database has it', async (context) => {
    const [server] = await bench().ask<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    if ((server?.version ?? 0) < 150_000) context.skip('MERGE came with Postgres 15');
    const t = await captured(`id int PRIMARY KEY, n int, ${VERSION}`);
    await bench().run(`INSERT INTO ${t} VALUES (1, 1), (2, 2)`);
    await bench().take();
    await bench().run(
      `MERGE INTO ${t} USING (VALUES (1, 10), (2, -1), (3, 30)) s (id, n) ON ${t}.id = s.id
       WHEN MATCHED AND s.n < 0 THEN DELETE WHEN MATCHED THEN UPDATE SET n = s.n
       WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.n)`,
    );
    expect((await bench().take()).map(({ operation }) => operation).toSorted()).toEqual(['D', 'I', 'U']);
  });

  it('notes the change that another trigger made of the row, and one that a trigger makes afterwards behind it', async () => {
    const t = await captured(`id int PRIMARY KEY, n int, ${VERSION}`);
    await bench().run(
      `CREATE FUNCTION ${t}_before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := NEW.n * 2; NEW.version := 77; RETURN NEW; END $$`,
      `CREATE FUNCTION ${t}_after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ${t} SET n = -1 WHERE id = NEW.id; RETURN NULL; END $$`,
      `CREATE TRIGGER zz BEFORE UPDATE ON ${t} FOR EACH ROW EXECUTE FUNCTION ${t}_before()`,
      `CREATE TRIGGER aa AFTER INSERT ON ${t} FOR EACH ROW EXECUTE FUNCTION ${t}_after()`,
      `INSERT INTO ${t} VALUES (1, 1)`,
    );
    expect(told(await bench().take())).toEqual([
      ['I', null, { id: 1, n: 1, version: 1 }],
      ['U', { id: 1, n: 1, version: 1 }, { id: 1, n: -2, version: 2 }],
    ]);
  });

  it('tells who wrote and with which mutation, for the transaction that said so', async () => {
    const t = await captured(`id int PRIMARY KEY, ${VERSION}`);
    await bench().database.transaction(async ({ query }) => {
      await query(`SELECT set_config('sluice.actor', 'ada', true), set_config('sluice.mutation', 'm1', true)`);
      await query(`INSERT INTO ${t} VALUES (1)`);
    });
    await bench().run(`INSERT INTO ${t} VALUES (2)`);
    expect(await bench().take()).toMatchObject([
      { actor: 'ada', mutation: 'm1' },
      { actor: null, mutation: null },
    ]);
  });

  it('tells of every row that a truncation takes, also in a cascade, and of none in one that is rolled back', async () => {
    const parent = await captured(`id int PRIMARY KEY, ${VERSION}`);
    const child = await captured(`id int PRIMARY KEY, parent int REFERENCES ${parent}, ${VERSION}`);
    await bench().run(`INSERT INTO ${parent} VALUES (1), (2)`, `INSERT INTO ${child} VALUES (3, 1)`);
    await bench().take();
    const rollback = new Error('not this time');
    const undone = bench().database.transaction(async ({ query }) => {
      await query(`TRUNCATE ${parent} CASCADE`);
      throw rollback;
    });
    await expect(undone).rejects.toBe(rollback);
    expect(await bench().take()).toEqual([]);
    await bench().run(`TRUNCATE ${parent} CASCADE`);
    const gone = await bench().take();
    expect(gone.map(({ operation }) => operation)).toEqual(['D', 'D', 'D']);
    expect(gone.map(({ old }) => JSON.parse(old ?? '').id).toSorted()).toEqual([1, 2, 3]);
  });

  it('refuses a truncation beyond READ COMMITTED, whose snapshot may miss rows that go', async () => {
    const t = await captured(`id int PRIMARY KEY, ${VERSION}`);
    const work = bench().database.transaction(({ query }) => query(`TRUNCATE ${t}`), { isolation: 'repeatable read' });
    await expect(work).rejects.toMatchObject({ code: '0A000' });
  });

  it('takes an update of 100,000 rows in one statement', async () => {
    const t = await captured(`id int PRIMARY KEY, n int, ${VERSION}`);
    await bench().run(`ALTER TABLE ${t} DISABLE TRIGGER "!sluice_capture"`);
    await fill(bench(), t);
    await bench().run(`ALTER TABLE ${t} ENABLE TRIGGER "!sluice_capture"`);
    await bench().run(`UPDATE ${t} SET n = n + 1`);
    const [sum] = await bench().ask<object>(
      `SELECT count(*) AS changes, count(DISTINCT new ->> 'id') AS rows, count(DISTINCT xact) AS xacts, min((new ->> 'version')::int) AS version
       FROM sluice.changes`,
    );
    expect(sum).toEqual({ changes: 100_000, rows: 100_000, xacts: 1, version: 2 });
    await bench().run('TRUNCATE sluice.changes');
  }, 60_000);

  async function fill({ run }: Bench, table: string): Promise<void> {
    await run(`INSERT INTO ${table} SELECT i, i FROM generate_series(1, 100000) i`);
  }
});
