import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { removeCapture } from '../../src/capture/remove-capture.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase } from '../support/postgres-database.ts';
import { until } from '../support/until.ts';
import { describeServer } from './databases.ts';

describeServer('writers of a captured table', (bench) => {
  const roles: string[] = [];
  let writer: postgres.Sql;
  beforeEach(async () => {
    writer = postgres(bench().server?.url ?? '', { max: 4, onnotice: () => undefined });
    await bench().run('DROP SCHEMA IF EXISTS shop CASCADE', 'CREATE SCHEMA shop');
    await bench().run('CREATE TABLE shop.a (id int PRIMARY KEY, n int, version integer NOT NULL DEFAULT 1)');
    expect(await addCapture(bench().database, 'shop.a')).toMatchObject({ ok: true });
    await bench().run('UPDATE sluice.relay SET asleep = true');
    await bench().take();
  });
  afterEach(async () => {
    await writer.end();
    await bench().run('DROP SCHEMA shop CASCADE');
    for (const role of roles.splice(0)) await bench().run(`DROP OWNED BY ${role} CASCADE`, `DROP ROLE ${role}`);
  });

  /** A role of its own, since roles belong to the whole server. */
  async function makeRole(rights = 'NOLOGIN'): Promise<string> {
    const role = `r_${randomUUID().replaceAll('-', '')}`;
    await bench().run(`CREATE ROLE ${role} ${rights}`);
    roles.push(role);
    return role;
  }

  it('need no right on the schema sluice, and cannot forge changes with its functions', async () => {
    const role = await makeRole();
    await bench().run(`GRANT USAGE, CREATE ON SCHEMA shop TO ${role}`, `GRANT ALL ON shop.a TO ${role}`);
    await writer.begin(async (sql) => {
      await sql.unsafe(`SET LOCAL ROLE ${role}`);
      await sql`INSERT INTO shop.a VALUES (1, 1)`;
      await sql`UPDATE shop.a SET n = 2`;
      await sql`TRUNCATE shop.a`;
    });
    expect((await bench().take()).map(({ operation }) => operation).join('')).toBe('IUD');
    await bench().run(`GRANT USAGE ON SCHEMA sluice TO ${role}`);
    const forged = writer.begin(async (sql) => {
      await sql.unsafe(`SET LOCAL ROLE ${role}`);
      await sql`CREATE TABLE shop.forged (id int PRIMARY KEY)`;
      await sql`CREATE TRIGGER x AFTER INSERT ON shop.forged FOR EACH ROW EXECUTE FUNCTION sluice.capture_row('1')`;
    });
    await expect(forged).rejects.toMatchObject({ code: '42501' });
  });

  it('may COPY', async () => {
    const copy = await writer`COPY shop.a (id, n) FROM STDIN`.writable();
    await pipeline(Readable.from(['1\t1\n2\t2\n']), copy);
    expect((await bench().take()).map(({ operation }) => operation).join('')).toBe('II');
  });

  it('may be SERIALIZABLE without getting into each other’s way', async () => {
    await writer`INSERT INTO shop.a VALUES (1, 1), (2, 2)`;
    await bench().take();
    let written = 0;
    await Promise.all(
      [1, 2].map((id) =>
        writer.begin('isolation level serializable', async (sql) => {
          // A scan of the whole table would bring them into conflict without any capture.
          await sql`SET LOCAL enable_seqscan = off`;
          await sql`UPDATE shop.a SET n = n + 1 WHERE id = ${id}`;
          written += 1;
          await until('both have written', () => written === 2);
        }),
      ),
    );
    expect((await bench().take()).map(({ operation }) => operation).join('')).toBe('UU');
  });

  it('wake a relay that sleeps once a transaction, and one that is awake never', async () => {
    const listener = postgres(bench().server?.url ?? '', { max: 1 });
    let heard = 0;
    let marks = 0;
    await listener.listen('sluice_capture', () => {
      heard += 1;
    });
    await listener.listen('mark', () => {
      marks += 1;
    });
    /** When a later notice has come, no earlier one is still on its way. */
    const settled = async () => {
      const before = marks;
      await writer`SELECT pg_notify('mark', '')`;
      await until('the mark is heard', () => marks > before);
    };
    await writer.begin(async (sql) => {
      await sql`INSERT INTO shop.a SELECT i, i FROM generate_series(1, 10) i`;
      await sql`UPDATE shop.a SET n = 0`;
    });
    await settled();
    expect(heard).toBe(1);
    await writer`UPDATE sluice.relay SET asleep = false`;
    await writer`UPDATE shop.a SET n = n + 1`;
    await settled();
    expect(heard).toBe(1);
    // Who falls asleep during a transaction is woken by its next statement.
    await writer.begin(async (sql) => {
      await sql`UPDATE shop.a SET n = n + 1`;
      await bench().run('UPDATE sluice.relay SET asleep = true');
      await sql`UPDATE shop.a SET n = n + 1`;
    });
    await settled();
    expect(heard).toBe(2);
    await listener.end();
  });

  it('are waited for by who adds a capture, and not for ever', async () => {
    await removeCapture(bench().database, 'shop.a');
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = false;
    const writing = writer.begin(async (sql) => {
      await sql`INSERT INTO shop.a VALUES (1, 1)`;
      begun = true;
      await held;
    });
    await until('the writer holds the table', () => begun);
    expect(await addCapture(bench().database, 'shop.a')).toMatchObject({ ok: false, findings: [{ code: 'busy' }] });
    const adding = addCapture(bench().database, 'shop.a');
    release();
    await writing;
    expect(await adding).toMatchObject({ ok: true });
  });

  it('of several nodes may add the same capture at once', async () => {
    await removeCapture(bench().database, 'shop.a');
    const added = await Promise.all([1, 2, 3].map(() => addCapture(bench().database, 'shop.a')));
    expect(new Set(added.map((one) => (one.ok ? one.capture.id : undefined))).size).toBe(1);
    expect(added.map((one) => one.ok && one.changed).toSorted()).toEqual([false, false, true]);
  });

  it('are captured by a role without special rights that owns the tables, and by no other', async () => {
    const owner = await makeRole('LOGIN');
    const url = new URL(bench().server?.url ?? '');
    await bench().run(
      'DROP TABLE shop.a',
      'CREATE TABLE shop.b (id int PRIMARY KEY, version integer NOT NULL DEFAULT 1)',
      `GRANT CREATE ON DATABASE ${url.pathname.slice(1)} TO ${owner}`,
      `GRANT USAGE, CREATE ON SCHEMA shop TO ${owner}`,
      `GRANT USAGE ON SCHEMA sluice TO ${owner}`,
      `GRANT ALL ON ALL TABLES IN SCHEMA sluice TO ${owner}`,
    );
    url.username = owner;
    const database = await connectPostgres({ url: url.href });
    try {
      expect(await addCapture(database, 'shop.b')).toMatchObject({ ok: false, findings: [{ code: 'not-owner' }] });
      await bench().run(`ALTER TABLE shop.b OWNER TO ${owner}`);
      // The functions belong to somebody else here, who has not yet given the right.
      expect(await addCapture(database, 'shop.b')).toMatchObject({ ok: false, findings: [{ code: 'not-owner' }] });
      await addCapture(bench().database, 'shop.b');
      await removeCapture(bench().database, 'shop.b');
      expect(await addCapture(database, 'shop.b')).toMatchObject({ ok: true, changed: true });
      await database.query('INSERT INTO shop.b VALUES (1)');
      expect(await bench().take()).toHaveLength(1);
    } finally {
      await database.close();
    }
  });

  it('cannot truncate past row security that binds the capture too, of which adding warns', async () => {
    const owner = await makeRole('LOGIN');
    const other = await createDatabase();
    try {
      await other.sql.unsafe(`GRANT CREATE ON DATABASE ${other.name} TO ${owner}`);
      await other.sql.unsafe(`GRANT CREATE ON SCHEMA public TO ${owner}`);
      const url = new URL(other.url);
      url.username = owner;
      // Everything belongs to a role without special rights: schema, functions and table.
      const database = await connectPostgres({ url: url.href });
      try {
        await database.query('CREATE TABLE a (id int PRIMARY KEY, version integer NOT NULL DEFAULT 1)');
        await database.query('INSERT INTO a VALUES (1)');
        expect(await addCapture(database, 'a')).toMatchObject({ ok: true, warnings: [] });
        await database.query('ALTER TABLE a ENABLE ROW LEVEL SECURITY');
        await database.query('ALTER TABLE a FORCE ROW LEVEL SECURITY');
        const warnings = [{ code: 'forced-row-security', severity: 'warning' }];
        expect(await addCapture(database, 'a')).toMatchObject({ ok: true, changed: false, warnings });
        await expect(database.query('TRUNCATE a')).rejects.toMatchObject({ code: '42501' });
        await database.query('ALTER TABLE a NO FORCE ROW LEVEL SECURITY');
        await database.query('TRUNCATE a');
        expect(await database.query('SELECT operation::text FROM sluice.changes')).toEqual([{ operation: 'D' }]);
      } finally {
        await database.close();
      }
    } finally {
      await other.drop();
    }
  });

  it('with session_replication_role = replica are not seen: no trigger fires for them', async () => {
    await writer.begin(async (sql) => {
      await sql`SET LOCAL session_replication_role = replica`;
      await sql`INSERT INTO shop.a VALUES (1, 1)`;
    });
    expect(await bench().take()).toEqual([]);
  });
});
