/** What happens to writes when the database has no time for them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { classify, type Database } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { CollectionsApp } from '../http/collections/app.ts';
import { createTables } from '../http/collections/tables.ts';

let database: Database;
beforeAll(async () => {
  database = await openPglite();
  await createTables(database);
});
afterAll(() => database.close());
beforeEach(() => database.query('truncate orders, sluice.writes'));

/** A database whose transactions fail so often at their commit, with this state. */
function failing(state: string, times: number): { readonly database: Database; readonly failed: () => number } {
  let failed = 0;
  return {
    database: {
      ...database,
      transaction: async (work, options) => {
        try {
          return await database.transaction(async (transaction) => {
            const result = await work(transaction);
            if (failed >= times) return result;
            failed += 1;
            throw Object.assign(new Error('not now'), { code: state });
          }, options);
        } catch (error) {
          throw classify(error);
        }
      },
    },
    failed: () => failed,
  };
}

describe('a write', () => {
  it.each(['40001', '40P01'])('that collides with others (%s) is tried again', async (state) => {
    const app = new CollectionsApp(failing(state, 3).database);
    const answer = await app.ask('orders', { body: { id: 1 }, headers: { 'Idempotency-Key': 'k' } });
    expect([answer.status, answer.headers.get('Idempotent-Replayed')]).toEqual([201, null]);
    expect(app.kicks).toBe(1);
    expect(await app.ids('orders')).toEqual([1]);
  });

  it.each(['40001', '57014', '08006'])(
    'is unavailable when it does not succeed (%s), and nothing of it stays',
    async (state) => {
      const { database: away, failed } = failing(state, 99);
      const app = new CollectionsApp(away);
      const { status, headers } = await app.ask('orders', { body: { id: 1 }, headers: { 'Idempotency-Key': 'k' } });
      expect([status, headers.get('Retry-After')]).toEqual([503, '1']);
      expect(failed()).toBe(state === '40001' ? 4 : 1);
      expect(app.faults).toEqual([]);
      expect(await database.query('select 1 from orders union all select 1 from sluice.writes')).toEqual([]);
    },
  );

  it('that fails for a reason that is nobody’s mistake is a fault, and its text stays here', async () => {
    const app = new CollectionsApp(failing('XX000', 1).database);
    const { status, text } = await app.ask('orders', { body: { id: 1 } });
    expect(status).toBe(500);
    expect(text).not.toContain('not now');
    expect(app.faults).toHaveLength(1);
  });
});

describe('a table that is altered', () => {
  it('is looked at again after a statement failed', async () => {
    const app = new CollectionsApp(database);
    await app.create('orders', { id: 1, slug: 'a' });
    expect(await app.ids('orders?filter=slug%3Deq.a')).toEqual([1]);
    await database.query('alter table orders alter column slug type text');
    await database.query('alter type mood rename to feeling');
    try {
      expect((await app.ask('orders?filter=mood%3Deq.low')).status).toBe(500);
      expect(await app.ids('orders?filter=mood%3Deq.low')).toEqual([]);
    } finally {
      await database.query('alter type feeling rename to mood');
    }
  });
});
