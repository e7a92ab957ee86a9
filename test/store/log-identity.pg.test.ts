import postgres from 'postgres';
import { afterAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPooledStore, createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { until } from '../support/until.ts';

const server = await findPostgres();
const event = '"type":"message","data":1}';

describe.skipIf(server === undefined)('the identity of a log on a server', async () => {
  const database = server === undefined ? undefined : await createDatabase();
  const copy = `${database?.name}_copy`;
  const onServer = postgres(server ?? '', { max: 1, onnotice: () => undefined });
  const open = async (url = '') => createPostgresStore(await connectPostgres({ url }));
  afterAll(async () => {
    for (const name of [copy, `${database?.name}_old`])
      await onServer.unsafe(`drop database if exists ${name} with (force)`);
    await onServer.end();
    await database?.drop();
  });

  it('stays when the store is opened again, and is another in a restored copy', async () => {
    const first = await open(database?.url);
    const appended = await first.log.append({ topic: 'a', bodies: [event] });
    await first.close();
    const [again] = await withStore(await open(database?.url), ({ log }) => log.ranges(['a']));
    expect(appended).toMatchObject({ epoch: again?.epoch });

    await database?.sql.end();
    await onServer.unsafe(`create database ${copy} template ${database?.name}`);
    const url = new URL(database?.url ?? '');
    url.pathname = `/${copy}`;
    const [restored] = await withStore(await open(url.href), ({ log }) => log.ranges(['a']));
    expect(restored).toMatchObject({ latest: 1 });
    expect(restored?.epoch).not.toBe(again?.epoch);
    const [reopened] = await withStore(await open(url.href), ({ log }) => log.ranges(['a']));
    expect(reopened?.epoch).toBe(restored?.epoch);

    // The same under a running node: the database is taken away, and the copy put in its place.
    await withStore(await open(database?.url), async ({ log }) => {
      await onServer.unsafe(`alter database ${database?.name} with allow_connections false`);
      await onServer`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database?.name ?? ''}`;
      await expect(log.append({ topic: 'a', bodies: [event] })).rejects.toThrow(StoreUnavailable);
      await onServer.unsafe(`alter database ${database?.name} rename to ${database?.name}_old`);
      await onServer.unsafe(`alter database ${copy} rename to ${database?.name}`);
      await until('the node finds the copy', async () => {
        const answer = await log.append({ topic: 'a', bodies: [event] }).catch((error: unknown) => error);
        if (answer instanceof StoreUnavailable) return false;
        expect(answer).toMatchObject({ epoch: restored?.epoch });
        return true;
      });
    });
  });
});

it('stays when a role that may ask less opens the store', async () => {
  const carrier = await openPglite();
  const wide = await createPostgresStore(carrier);
  const narrow = await createPostgresStore({
    ...carrier,
    query: (text, parameters) =>
      text.includes('pg_control_system') ? Promise.reject(new Error('denied')) : carrier.query(text, parameters),
  });
  expect(await narrow.log.ranges(['a'])).toEqual(await wide.log.ranges(['a']));
  await wide.close();
});

it('follows when another node renewed the identity', async () => {
  const carrier = await openPglite();
  const [one, other] = [await createPostgresStore(carrier), await createPostgresStore(carrier)];
  const [before] = await one.log.ranges(['a']);
  await carrier.query("UPDATE sluice.meta SET value = 'restored' WHERE name = 'log'");
  const third = await createPostgresStore(carrier);
  const [renewed] = await third.log.ranges(['a']);
  expect(renewed?.epoch).not.toBe(before?.epoch);
  for (const node of [one, other]) {
    await node.log.ranges(['a']);
    expect((await node.log.ranges(['a']))[0]?.epoch).toBe(renewed?.epoch);
  }
  await one.close();
});

it('takes a new identity when the database comes back as a restored one, without a restart', async () => {
  const carrier = await openPglite();
  let away = false;
  const database: Database = {
    ...carrier,
    query: (text, parameters) =>
      away ? Promise.reject(new StoreUnavailable('away')) : carrier.query(text, parameters),
  };
  const store = await createPostgresStore(database);
  await store.log.append({ topic: 'a', bodies: [event] });
  const [before] = await store.log.ranges(['a']);

  away = true;
  await expect(store.log.ranges(['a'])).rejects.toThrow(StoreUnavailable);
  await carrier.query('ALTER TABLE sluice.meta RENAME TO old');
  await carrier.query('CREATE TABLE sluice.meta AS SELECT * FROM sluice.old');
  away = false;

  const [after] = await store.log.ranges(['a']);
  expect(after).toMatchObject({ latest: 1 });
  expect(after?.epoch).not.toBe(before?.epoch);
  await store.close();
});

it('stays when the database was only away', async () => {
  const carrier = await openPglite();
  let away = false;
  const store = await createPostgresStore({
    ...carrier,
    query: (text, parameters) =>
      away ? Promise.reject(new StoreUnavailable('away')) : carrier.query(text, parameters),
  });
  const [before] = await store.log.ranges(['a']);
  away = true;
  await expect(store.log.append({ topic: 'a', bodies: [event] })).rejects.toThrow(StoreUnavailable);
  away = false;
  expect(await store.log.append({ topic: 'a', bodies: [event] })).toMatchObject({ epoch: before?.epoch, first: 1 });
  await store.close();
});

it('is known to all that share what is remembered of it as soon as one has looked', async () => {
  const carrier = await openPglite();
  const remembered = { id: '', confirmed: 0 };
  const stores = [1, 2, 3].map(() => createPooledStore(carrier, remembered));
  const epochs = async () => (await Promise.all(stores.map(({ log }) => log.ranges(['a'])))).map(([a]) => a?.epoch);
  const known = () => stores.map((store) => store.epochOf('a', 0));
  const [first] = await epochs();
  expect([await epochs(), known()]).toEqual([
    [first, first, first],
    [first, first, first],
  ]);
  await carrier.query(`UPDATE sluice.meta SET value = 'another ' || split_part(value, ' ', 2) WHERE name = 'log'`);
  // Some seconds later, one of them looks again.
  remembered.confirmed = Date.now() - 5000;
  const [range] = (await stores[0]?.log.ranges(['a'])) ?? [];
  expect(range?.epoch).not.toBe(first);
  expect(known()).toEqual([range?.epoch, range?.epoch, range?.epoch]);
  await carrier.close();
});

async function withStore<Value>(
  store: Awaited<ReturnType<typeof createPostgresStore>>,
  use: (store: Awaited<ReturnType<typeof createPostgresStore>>) => Promise<Value>,
): Promise<Value> {
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
