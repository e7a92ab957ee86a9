/** The past of records: what the log tells is what the table was. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { createRelay, type Relay } from '../../src/capture/relay.ts';
import { compileGrants } from '../../src/protocol/grants.ts';
import { toEventBodies } from '../../src/records/change-event.ts';
import { recordAtVersion } from '../../src/records/history.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore, type PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { CollectionsApp } from '../http/collections/app.ts';
import { caller } from '../http/collections/principals.ts';
import { COLLECTIONS, createTables } from '../http/collections/tables.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';

const seed = chooseSeed();
const TABLES = ['orders', 'seats', 'docs', 'notes', 'slots'];
const JUST_KEEP = { ageMs: undefined, bytes: undefined };

describe.skipIf((await findPostgres()) === undefined)('the past of a record', { timeout: 30_000 }, () => {
  let made: TestDatabase;
  let store: PostgresStore;
  let relay: Relay;
  let app: CollectionsApp;

  beforeAll(async () => {
    made = await createDatabase();
    store = await createPostgresStore(await connectPostgres(made));
    const { database } = store;
    await createTables(database);
    const captures = new Map<string, number>();
    const targets = new Map();
    for (const name of TABLES) {
      await database.query(`drop trigger next_version on ${name}`);
      const added = await addCapture(database, name);
      const collection = COLLECTIONS.find((each) => each.name === name);
      if (!added.ok || collection === undefined) throw new Error(JSON.stringify(added));
      captures.set(name, added.capture.id);
      const toBodies = (change: never) => toEventBodies(collection as never, change);
      targets.set(added.capture.id, [{ topic: name, toBodies }]);
    }
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    relay = createRelay({ store, targets: () => targets, node: 'test', log: quiet, onMoved: () => undefined });
    relay.start();
    app = new CollectionsApp(database, {
      epochOf: (topic, incarnation) => store.epochOf(topic, incarnation),
      drained: (work, name) => relay.drained([captures.get(name) ?? 0], work),
      kick: () => relay.kick(),
      versionAt: (collection, key, version) =>
        relay.drained([captures.get(collection.name) ?? 0], (transaction) =>
          recordAtVersion(transaction, collection, key, version),
        ),
    });
  });
  afterAll(async () => {
    await relay.stop();
    await store.close();
    await made.drop();
  });
  beforeEach(async () => {
    await made.sql.unsafe(
      `delete from orders; delete from seats; delete from docs; delete from notes; delete from slots`,
    );
    for (const name of TABLES) {
      await app.ask(name, { as: ADMIN });
      await store.log.drop(name);
      // As a log that was never dropped.
      await made.sql`update sluice.topics set incarnation = 0 where name = ${name}`;
    }
  });

  const ADMIN = { grants: Object.assign(Object.create(compileGrants({ subscribe: ['**'] })), { admin: true }) };
  const grant = { subscribe: ['**'], publish: ['**'] };

  /** A time after everything that was written, and before everything that will be. */
  async function moment(name: string): Promise<string> {
    await app.ask(name, { as: ADMIN });
    const [row] =
      await made.sql`select pg_sleep(0.003), floor(extract(epoch from clock_timestamp()) * 1000)::float8 as at`;
    await made.sql`select pg_sleep(0.003)`;
    return new Date(row?.['at']).toISOString();
  }
  const at = (path: string, time: string, as?: object) => app.ask(`${path}?at=${time}`, as === undefined ? {} : { as });

  it('is, at every time, what the table was then', async () => {
    const random = seededRandom(seed);
    const pick = (n: number) => Math.floor(random() * n);
    const moments: { at: string; rows: Map<string, string> }[] = [];
    for (let step = 0; step < 60; step += 1) {
      const id = 1 + pick(3);
      const big = `${9007199254740993n + BigInt(step)}`;
      const statements = [
        `insert into orders (id, big, total) values (${id}, ${big}, ${step}.10) on conflict (id) do update set big = excluded.big`,
        `update orders set note = 'n${step}', meta = '{"x": 12345678901234567890.10}' where id = ${id}`,
        `update orders set note = note where id = ${id}`,
        `update orders set hidden = 'h${step}' where id = ${id}`,
        `delete from orders where id = ${id}`,
        `update orders set id = ${1 + pick(3)} + 10 where id = ${id} and not exists (select from orders where id > 10)`,
        `update orders set stock = stock + 1 where id = ${id}; update orders set stock = stock * 2`,
      ];
      await made.sql.unsafe(statements[pick(statements.length)] ?? '');
      const rows = new Map<string, string>();
      for (const key of ['1', '2', '3', '11', '12', '13']) {
        const { status, text } = await app.ask(`orders/${key}`);
        if (status === 200) rows.set(key, text);
      }
      moments.push({ at: await moment('orders'), rows });
    }
    for (const { at: time, rows } of moments)
      for (const key of ['1', '2', '3', '11', '12', '13']) {
        const { status, text, headers } = await at(`orders/${key}`, time);
        const expected = rows.get(key);
        expect(status === 200 ? text : status, `seed ${seed}, ${key} at ${time}`).toBe(expected ?? 404);
        if (expected !== undefined) expect(headers.get('etag')).toBe(`"${JSON.parse(expected).version}"`);
      }
    for (const key of ['1', '2', '3']) {
      const { status, body } = await app.ask(`orders/${key}/history?limit=100`);
      if (status === 404) continue;
      expect(body.complete, `seed ${seed}`).toBe(true);
      expect(body.versions.at(-1).type).toBe('insert');
      for (const { version, record } of body.versions) expect(record).toMatchObject({ id: Number(key), version });
    }
  }, 60_000);

  it('is told from before the first change that the log has, for a row that was there before', async () => {
    await made.sql`alter table orders disable trigger all`;
    await made.sql`insert into orders (id, note, version) values (1, 'old', 7), (2, 'still', 3)`;
    await made.sql`alter table orders enable trigger all`;
    const before = await moment('orders');
    await made.sql`update orders set note = 'new' where id = 1`;
    const old = await at('orders/1', before);
    expect(old.body).toMatchObject({ note: 'old', version: 7 });
    expect(old.headers.get('etag')).toBe('"7"');
    expect((await at('orders/2', before)).body).toMatchObject({ note: 'still', version: 3 });
    const { body } = await app.ask('orders/1/history');
    expect(body).toMatchObject({ complete: false, versions: [{ type: 'update', version: 8, changed: ['note'] }] });
    expect((await app.ask('orders/2/history')).body).toEqual({ versions: [], complete: false });
  });

  it('is not known from before the table was captured', async () => {
    const before = await moment('orders');
    await made.sql`insert into orders (id, note) values (1, 'a')`;
    const captured = await moment('orders');
    await made.sql`update sluice.captures set since = ${captured} where relation = 'orders'::regclass`;
    await made.sql`update orders set note = 'b'`;
    const after = await moment('orders');
    for (const time of ['1999-01-01T00:00:00Z', before]) {
      const { status, body } = await at('orders/1', time);
      expect([status, body.code, body.errors]).toEqual([
        410,
        'gone',
        [{ path: 'at', message: `not before ${captured}` }],
      ]);
    }
    expect((await at('orders/1', captured)).body.note).toBe('a');
    expect((await at('orders/1', after)).body.note).toBe('b');
    await made.sql`update sluice.captures set since = ${before} where relation = 'orders'::regclass`;
  });

  it('is gone when retention has let go of it, with the oldest time there is', async () => {
    await made.sql`insert into orders (id, note) values (1, 'a')`;
    const first = await moment('orders');
    await made.sql`update orders set note = 'b' where id = 1`;
    const second = await moment('orders');
    await made.sql`update orders set note = 'c' where id = 1`;
    const third = await moment('orders');
    await store.log.prune(() => ({ ...JUST_KEEP, events: 2 }), Date.now());
    const gone = await at('orders/1', first);
    const oldest = (await app.ask('orders/1/history')).body.versions.at(-1).time;
    expect(gone).toMatchObject({ status: 410, body: { code: 'gone', detail: `The log goes back to ${oldest}.` } });
    expect(gone.body.errors).toEqual([{ path: 'at', message: `not before ${oldest}` }]);
    expect((await at('orders/1', second)).body.note).toBe('b');
    expect((await at('orders/1', third)).body.note).toBe('c');
    expect((await app.ask('orders/1/history')).body).toMatchObject({ complete: false, versions: [{}, {}] });
    await store.log.prune(() => ({ ...JUST_KEEP, events: 0 }), Date.now());
    expect((await at('orders/1', third)).body.note).toBe('c');
    expect((await at('orders/1', second)).status).toBe(410);
  });

  it('is gone where compaction has taken what it would have to be rebuilt from', async () => {
    await made.sql`insert into orders (id, note) values (1, 'a')`;
    await made.sql`insert into orders (id, note) values (2, 'x')`;
    const first = await moment('orders');
    await made.sql`update orders set note = 'b' where id = 1`;
    await moment('orders');
    await made.sql`update orders set note = 'c' where id = 1`;
    const last = await moment('orders');
    await store.log.compact('orders', 1000);
    expect(await at('orders/1', first)).toMatchObject({ status: 410, body: { code: 'gone' } });
    expect((await at('orders/1', last)).body.note).toBe('c');
    expect((await at('orders/2', first)).body.note).toBe('x');
    expect((await app.ask('orders/1/history')).body).toMatchObject({ complete: false, versions: [{ version: 3 }] });
  });

  it('gives the base of a merge also for a version from before the first change that the log has', async () => {
    await made.sql`alter table orders disable trigger all`;
    await made.sql`insert into orders (id, code, version) values (1, 'old', 7)`;
    await made.sql`alter table orders enable trigger all`;
    await made.sql`update orders set urgent = true where id = 1`;
    const merged = await app.patch('orders/1', { slug: 'mine' }, { 'Base-Version': '7' });
    expect(merged).toMatchObject({ status: 200, body: { urgent: true, slug: 'mine', version: 9 } });
    expect(merged.headers.get('merged')).toBe('true');
    const conflict = await app.patch('orders/1', { urgent: false }, { 'Base-Version': '7' });
    expect(conflict).toMatchObject({ status: 409, body: { base: { code: 'old', urgent: null, version: 7 } } });
    const unknown = await app.patch('orders/1', { slug: 'other' }, { 'Base-Version': '3' });
    expect(unknown.body).not.toHaveProperty('base');
  });

  it('is read by pages, the newest first', async () => {
    await app.create('orders', { id: 1, note: '0' });
    for (let i = 1; i <= 6; i += 1) await app.patch('orders/1', { note: String(i) });
    const notes: string[] = [];
    let next: string | undefined;
    do {
      const { status, body } = await app.ask(`orders/1/history?limit=3${next === undefined ? '' : `&before=${next}`}`);
      expect(status).toBe(200);
      expect(body.complete).toBe(true);
      notes.push(...body.versions.map(({ record }: any) => record.note));
      expect(body.versions.length).toBeLessThanOrEqual(3);
      next = body.next;
    } while (next !== undefined);
    expect(notes).toEqual(['6', '5', '4', '3', '2', '1', '0']);
    const { body } = await app.ask('orders/1/history?limit=1');
    expect(body.versions[0]).toMatchObject({ type: 'update', version: 7, actor: 'root', changed: ['note'] });
  });

  it('finds keys of several fields, keys with strange characters, and keys that have several texts', async () => {
    await made.sql`insert into seats values ('a, "b"/\\', 1, 'Ada')`;
    const before = await moment('seats');
    await made.sql`update seats set holder = 'Bo'`;
    const key = encodeURIComponent(`${encodeURIComponent('a, "b"/\\')},1`);
    expect((await at(`seats/${key}`, before)).body.holder).toBe('Ada');
    expect((await app.ask(`seats/${key}/history`)).body.versions).toHaveLength(2);
    await made.sql`insert into slots values ('2024-01-01T00:00:00Z', 'a')`;
    const early = await moment('slots');
    await made.sql`update slots set note = 'b'`;
    expect((await at('slots/2024-01-01T01:00:00%2B01:00', early)).body.note).toBe('a');
  });

  it('says that a record was too large for its past to be kept, and what it is now', async () => {
    const large = 'x'.repeat(1_100_000);
    await made.sql`insert into orders (id, note) values (1, ${large})`;
    const first = await moment('orders');
    expect((await at('orders/1', first)).body.note).toBe(large);
    await made.sql`update orders set note = 'small' where id = 1`;
    expect((await at('orders/1', first)).status).toBe(410);
    const { versions } = (await app.ask('orders/1/history')).body;
    expect(versions.map(({ record, version }: any) => [version, record])).toEqual([
      [2, expect.objectContaining({ id: 1, note: 'small' })],
      [1, undefined],
    ]);
  });

  it('shows with scope() only the versions that the caller would have seen', async () => {
    await made.sql`insert into notes values (1, 'ann', 'mine'), (2, 'bob', 'never')`;
    const first = await moment('notes');
    await made.sql`update notes set owner = 'bob', body = 'secret' where id = 1`;
    const second = await moment('notes');
    const ann = caller('ann', grant);
    const bob = caller('bob', grant);
    expect((await at('notes/1', first, ann)).body.body).toBe('mine');
    expect((await at('notes/1', first, bob)).status).toBe(404);
    expect((await at('notes/1', second, ann)).status).toBe(404);
    expect((await at('notes/1', second, bob)).body.body).toBe('secret');
    const seen = await app.ask('notes/1/history', { as: ann });
    expect(seen.body.versions).toMatchObject([{ version: 1, record: { body: 'mine' } }]);
    expect(seen.text).not.toContain('secret');
    expect((await app.ask('notes/2/history', { as: ann })).status).toBe(404);
  });

  it('is for administrators alone where Postgres decides', async () => {
    await made.sql`insert into docs values (1, 'ann', 'a')`;
    const time = await moment('docs');
    await made.sql`delete from docs`;
    const ann = caller('ann', grant);
    for (const path of [`docs/1?at=${time}`, 'docs/1/history', 'docs/9/history']) {
      expect(await app.refusal(path, { as: ann })).toBe('403 forbidden');
      expect(await app.refusal(path, { as: null })).toBe('401 token-required');
    }
    expect((await at('docs/1', time, ADMIN)).body.body).toBe('a');
    const types = (await app.ask('docs/1/history', { as: ADMIN })).body.versions.map(({ type }: any) => type);
    expect(types).toEqual(['delete', 'insert']);
  });

  it('refuses times that are none or are to come, places of other histories, and keys that nothing has', async () => {
    await app.create('orders', { id: 1 });
    for (const time of ['yesterday', '', '2024-01-01', '2024-02-31T00:00:00Z', '9999-01-01T00:00:00Z'])
      expect(await app.refusal(`orders/1?at=${time}`), time).toBe('400 invalid');
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'before=x', 'before=abcdefghij-3'])
      expect(await app.refusal(`orders/1/history?${query}`), query).toBe('400 invalid');
    const past = await moment('orders');
    for (const path of ['orders/x', 'orders/2', 'slots/tomorrowish', "orders/1'--", 'seats/a']) {
      expect(await app.refusal(`${path}?at=${past}`), path).toBe('404 not-found');
      expect(await app.refusal(`${path}/history`), path).toBe('404 not-found');
    }
    expect(await app.refusal(`nothing/1?at=${past}`)).toBe('404 not-found');
    expect(await app.refusal(`orders/1?at=2001-01-01T00:00:00Z`)).toBe('410 gone');
    expect(app.faults).toEqual([]);
  });
});
