import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireUncached } from '../../src/cloudflare/collections/require-uncached.ts';
import type { Database } from '../../src/store/postgres/database.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';

/** As Hyperdrive does unless it is told not to: of queries that only read, the answer is kept by text and parameters. */
function caching({ query }: Database): Pick<Database, 'query'> {
  const kept = new Map<string, Promise<readonly unknown[]>>();
  return {
    query<Row>(...asked: Parameters<Database['query']>) {
      const [text, parameters] = asked;
      const name = JSON.stringify([text, parameters]);
      const answer = (kept.get(name) ?? query<Row>(...asked)) as Promise<readonly Row[]>;
      if (/^\s*select/i.test(text)) kept.set(name, answer);
      return answer;
    },
  };
}

describe.skipIf((await findPostgres()) === undefined)('requireUncached', () => {
  let made: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    made = await createDatabase();
    database = await connectPostgres(made);
  });
  afterAll(async () => {
    await database.close();
    await made.drop();
  });

  it('passes where answers are what the database has now, and leaves nothing behind', async () => {
    const before = await made.sql`SELECT * FROM sluice.meta`;
    await requireUncached(database);
    await requireUncached(database);
    expect(await made.sql`SELECT * FROM sluice.meta`).toEqual(before);
  });

  it('says how to switch the cache off where there is one', async () => {
    await expect(requireUncached(caching(database))).rejects.toThrow('--caching-disabled');
  });
});
