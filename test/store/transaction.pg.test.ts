import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';

const server = await findPostgres();

const carriers: readonly (readonly [string, boolean, () => Promise<{ database: Database; drop(): Promise<void> }>])[] =
  [
    ['PGlite', false, async () => ({ database: await openPglite(), drop: async () => {} })],
    [
      'Postgres',
      server === undefined,
      async () => {
        const fresh = await createDatabase();
        return { database: await connectPostgres({ url: fresh.url }), drop: () => fresh.drop() };
      },
    ],
  ];

describe.each(carriers)('a transaction on %s', (_, missing, open) => {
  describe.skipIf(missing)('', () => {
    let opened: Awaited<ReturnType<typeof open>>;
    beforeAll(async () => {
      opened = await open();
      await opened.database.query('CREATE TABLE things (n int PRIMARY KEY)');
    });
    afterAll(async () => {
      await opened.database.close();
      await opened.drop();
    });

    const numbers = async () =>
      (await opened.database.query<{ n: number }>('SELECT n FROM things ORDER BY n')).map(({ n }) => n);

    it('commits what its work did and gives its answer', async () => {
      const answer = await opened.database.transaction(async (transaction) => {
        await transaction.query('INSERT INTO things VALUES ($1)', [1]);
        const [row] = await transaction.query<{ n: number }>('SELECT n + 41 AS n FROM things');
        return row?.n;
      });
      expect(answer).toBe(42);
      expect(await numbers()).toEqual([1]);
    });

    it('undoes everything when its work throws, and passes on what was thrown', async () => {
      const fault = new Error('enough');
      const work = opened.database.transaction(async (transaction) => {
        await transaction.query('INSERT INTO things VALUES (2)');
        throw fault;
      });
      await expect(work).rejects.toBe(fault);
      expect(await numbers()).toEqual([1]);
    });

    it("undoes everything when a statement fails, and passes on the database's code", async () => {
      const work = opened.database.transaction(async (transaction) => {
        await transaction.query('INSERT INTO things VALUES (3)');
        await transaction.query('INSERT INTO things VALUES (1)');
      });
      await expect(work).rejects.toMatchObject({ code: '23505' });
      expect(await numbers()).toEqual([1]);
    });

    it('has the isolation that was asked for', async () => {
      const isolation = (options?: { readonly isolation: 'repeatable read' }) =>
        opened.database.transaction(async (transaction) => {
          const [row] = await transaction.query<{ level: string }>(
            "SELECT current_setting('transaction_isolation') AS level",
          );
          return row?.level;
        }, options);
      expect(await isolation()).toBe('read committed');
      expect(await isolation({ isolation: 'repeatable read' })).toBe('repeatable read');
      expect(await isolation()).toBe('read committed');
    });
  });
});
