import { describe, expect, it } from 'vitest';
import { openPglite } from '../../../src/store/postgres/pglite.ts';
import { createPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import { until } from '../../support/until.ts';
import { append, body } from '../contract/log.ts';

describe('the embedded database', () => {
  it('uses the room of what was let go again', async () => {
    const database = await openPglite();
    const store = await createPostgresStore(database);
    const size = async () => {
      const [row] = await database.query<{ bytes: number }>("SELECT pg_relation_size('sluice.batches') AS bytes");
      return row!.bytes;
    };
    let vacuums = 0;
    /** Gives the topic 10,000 more batches, as a long time of light load does, and lets all but a few of them go. */
    const round = async () => {
      await append(store.log, 't', [body('x'.repeat(100))]);
      await database.query(`
        INSERT INTO sluice.batches (topic_id, last, first, time, bytes, bodies)
        SELECT topic_id, last + n, last + n, time, bytes, bodies FROM sluice.batches b, generate_series(1, 10000) n
        WHERE last = (SELECT latest FROM sluice.topics)`);
      await database.query('UPDATE sluice.topics SET latest = latest + 10000, bytes = bytes + 10000 * 130');
      await store.log.prune(() => ({ events: 10 }), Date.now());
      // What a session did is counted at most once a second, so a prune may come too early to know of it.
      await until('what was let go is counted', async () => {
        const [row] = await database.query<{ dead: number; vacuums: number }>(
          "SELECT n_dead_tup AS dead, vacuum_count AS vacuums FROM pg_stat_user_tables WHERE relname = 'batches'",
        );
        return row!.dead > 5000 || row!.vacuums > vacuums;
      });
      await store.log.prune(() => ({ events: 10 }), Date.now());
      vacuums += 1;
    };
    await round();
    await round();
    const before = await size();
    for (let count = 0; count < 3; count += 1) await round();
    expect(await size()).toBeLessThan(before * 1.5);
    await store.close();
  });

  it('reads a page of a long log without looking at all of it', async () => {
    const database = await openPglite();
    const store = await createPostgresStore(database);
    await append(store.log, 't', [body(1)]);
    await database.query(`
      INSERT INTO sluice.batches (topic_id, last, first, time, bytes, bodies)
      SELECT topic_id, n, n, time, bytes, bodies FROM sluice.batches, generate_series(2, 60000) n`);
    await database.query('UPDATE sluice.topics SET latest = 60000');
    const took = async (after: number) => {
      const begun = performance.now();
      expect((await store.log.read('t', after, 1000)).batches.length).toBe(1000);
      return performance.now() - begun;
    };
    const many = async (after: number) => {
      const times = [];
      for (let count = 0; count < 9; count += 1) times.push(await took(after));
      return times.toSorted((a, b) => a - b)[4]!;
    };
    await many(0);
    // At the end there is nothing beyond the page to look at.
    const end = await many(59_000);
    expect(await many(0)).toBeLessThan(10 * end + 20);
    await store.close();
  });
});
