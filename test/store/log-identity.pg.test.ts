import postgres from 'postgres';
import { afterAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';

const server = await findPostgres();
const event = '"type":"message","data":1}';

describe.skipIf(server === undefined)('the identity of a log on a server', async () => {
  const database = server === undefined ? undefined : await createDatabase();
  const copy = `${database?.name}_copy`;
  const onServer = postgres(server ?? '', { max: 1, onnotice: () => undefined });
  const open = async (url = '') => createPostgresStore(await connectPostgres({ url }));
  afterAll(async () => {
    await onServer.unsafe(`drop database if exists ${copy}`);
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
  });
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
