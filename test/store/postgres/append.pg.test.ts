import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectPostgres } from '../../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../../support/postgres-database.ts';
import { append, bodies, freshKey, freshTopic } from '../contract/log.ts';

describe.skipIf((await findPostgres()) === undefined)('appending in Postgres', () => {
  let made: TestDatabase;
  let store: Store;

  beforeAll(async () => {
    made = await createDatabase();
    store = await createPostgresStore(await connectPostgres(made), { schedule: setImmediate });
  });
  afterAll(async () => {
    await store.close();
    await made.drop();
  });

  it('uses up a number for each topic, not for each append', async () => {
    const used = async () => (await made.sql`select last_value::int as used from sluice.topics_id_seq`)[0]?.['used'];
    const topic = freshTopic();
    await append(store.log, topic, bodies(1));
    const before = await used();
    for (let index = 0; index < 20; index += 1) await append(store.log, topic, bodies(1), freshKey());
    expect(await used()).toBe(before);
  });

  it('lets one topic wait for another transaction, and no other topic with it', async () => {
    const [busy, free] = [freshTopic(), freshTopic()];
    await append(store.log, busy, bodies(1));
    const other = await createPostgresStore(await connectPostgres(made));
    let held: Promise<unknown> = Promise.resolve();
    try {
      await made.sql.begin(async (sql) => {
        await sql`select 1 from sluice.topics where name = ${busy} for update`;
        held = append(store.log, busy, bodies(1));
        expect(await append(other.log, free, bodies(1))).toMatchObject({ first: 1 });
        expect((await other.log.ranges([busy]))[0]).toMatchObject({ latest: 1 });
      });
      expect(await held).toMatchObject({ first: 2 });
    } finally {
      await other.close();
    }
  });

  it('keeps what one connection began out of sight until it commits', async () => {
    const topic = freshTopic();
    await append(store.log, topic, bodies(2));
    await made.sql.begin(async (sql) => {
      await sql`select * from sluice.append(array[${topic}], array[1], array['x'], array[null], array[null], array[null])`;
      expect((await store.log.ranges([topic]))[0]).toMatchObject({ latest: 2 });
      expect((await store.log.read(topic, 0, 10)).batches.length).toBe(1);
    });
    expect((await store.log.ranges([topic]))[0]).toMatchObject({ latest: 3 });
  });
});
