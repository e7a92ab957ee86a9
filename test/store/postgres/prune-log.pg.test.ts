import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectPostgres } from '../../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import type { Retention, Store } from '../../../src/store/store.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../../support/postgres-database.ts';
import { append, bodies, body, bytesOf, freshTopic, readAll } from '../contract/log.ts';

const only = (topic: string, retention: Retention) => (name: string) => (name === topic ? retention : {});

describe.skipIf((await findPostgres()) === undefined)('pruning in Postgres', () => {
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

  async function onDisk(topic: string): Promise<{ readonly batches: number; readonly bytes: number }> {
    const [row] = await made.sql<{ batches: number; bytes: number }[]>`
      select count(*)::int as batches, coalesce(sum(b.bytes), 0)::int as bytes
      from sluice.topics t join sluice.batches b on b.topic_id = t.id where t.name = ${topic}`;
    return { batches: row!.batches, bytes: row!.bytes };
  }

  /** Gives a topic so many batches of one event each, as a long time of light load leaves them. */
  async function fill(topic: string, batches: number, bytes: number): Promise<void> {
    await append(store.log, topic, [body('x'.repeat(bytes))]);
    await made.sql`
      insert into sluice.batches (topic_id, last, first, time, bytes, bodies)
      select b.topic_id, n, n, b.time, b.bytes, b.bodies
      from sluice.topics t join sluice.batches b on b.topic_id = t.id, generate_series(2, ${batches}::int) n
      where t.name = ${topic}`;
    await made.sql`update sluice.topics set latest = ${batches}, bytes = bytes * ${batches} where name = ${topic}`;
  }

  it('finds the bound by bytes however many batches are to go, in one run', async () => {
    const topic = freshTopic();
    await fill(topic, 25_000, 10);
    const each = bytesOf([body('x'.repeat(10))]);
    expect(await store.log.prune(only(topic, { bytes: 700 * each }), Date.now())).toBe(24_300);
    expect(await store.log.topic(topic)).toMatchObject({ oldest: 24_301, latest: 25_000, bytes: 700 * each });
    expect(await onDisk(topic)).toEqual({ batches: 700, bytes: 700 * each });
  });

  it('frees what a crash left between moving the bound and freeing, and measures without it', async () => {
    const topic = freshTopic();
    const each = bytesOf([body('x'.repeat(10))]);
    await fill(topic, 3000, 10);
    // As a run that was cut short leaves it.
    await made.sql`update sluice.topics set oldest = 2001 where name = ${topic}`;
    expect((await readAll(store.log, topic)).length).toBe(1000);
    expect(await store.log.seek(topic, 0)).toMatchObject({ seq: 2000 });
    expect(await store.log.prune(only(topic, { bytes: 600 * each }), Date.now())).toBe(400);
    expect(await store.log.topic(topic)).toMatchObject({ oldest: 2401, latest: 3000, bytes: 600 * each });
    expect(await onDisk(topic)).toEqual({ batches: 600, bytes: 600 * each });
  });

  it('frees what a crash left also where no bound is set any more', async () => {
    const topic = freshTopic();
    await fill(topic, 1200, 10);
    await made.sql`update sluice.topics set oldest = 1001 where name = ${topic}`;
    expect(await store.log.prune(() => ({}), Date.now())).toBe(0);
    const left = await onDisk(topic);
    expect(left.batches).toBe(200);
    expect((await store.log.topic(topic))?.bytes).toBe(left.bytes);
  });

  it('frees what a crash left of a dropped topic, and nothing of the new one', async () => {
    const topic = freshTopic();
    await append(store.log, topic, bodies(3));
    const [old] = await made.sql<{ id: number }[]>`select id from sluice.topics where name = ${topic}`;
    await store.log.drop(topic);
    await append(store.log, topic, bodies(3));
    // As a drop that was cut short leaves it.
    await made.sql`insert into sluice.meta (name, value) values (${`dropped:${old!.id}`}, '')`;
    await made.sql`
      insert into sluice.batches (topic_id, last, first, time, bytes, bodies)
      select ${old!.id}, n, n, 0, 1, 'x' from generate_series(1, 1200) n`;
    await store.log.prune(() => ({}), Date.now());
    expect(await made.sql`select 1 from sluice.batches where topic_id = ${old!.id}`).toHaveLength(0);
    expect(await made.sql`select 1 from sluice.meta where starts_with(name, 'dropped:')`).toHaveLength(0);
    expect((await readAll(store.log, topic)).length).toBe(3);
  });

  it('does not keep appends waiting while 300,000 events are let go', async () => {
    const topic = freshTopic();
    await fill(topic, 300_000, 100);
    await made.sql`analyze sluice.batches`;
    let pruning = true;

    /** Appends one after the other while `going`; how long each took, in ms, ascending. */
    async function measure(going: () => boolean): Promise<readonly number[]> {
      const took: number[] = [];
      while (going()) {
        const begun = performance.now();
        await append(store.log, topic, [body(randomUUID())]);
        took.push(performance.now() - begun);
      }
      return took.toSorted((a, b) => a - b);
    }

    let left = 300;
    const alone = await measure(() => left-- > 0);
    const pruned = store.log.prune(only(topic, { events: 1000 }), Date.now()).finally(() => {
      pruning = false;
    });
    const meanwhile = await measure(() => pruning);
    expect(await pruned).toBeGreaterThanOrEqual(299_000);
    const at = (took: readonly number[], part: number) => took[Math.floor((took.length - 1) * part)] ?? 0;
    const report = [0.5, 0.99, 1].map((part) => `${at(alone, part).toFixed(1)} → ${at(meanwhile, part).toFixed(1)} ms`);
    expect(meanwhile.length, report.join(', ')).toBeGreaterThan(20);
    // Two cores do the work of both, so the bounds are generous; what they rule out is an append that waits for the pruning.
    expect(at(meanwhile, 0.5), report.join(', ')).toBeLessThan(5 * at(alone, 0.5) + 20);
    expect(at(meanwhile, 0.99), report.join(', ')).toBeLessThan(10 * at(alone, 0.99) + 250);
    expect((await onDisk(topic)).batches).toBeLessThan(1000 + 300 + meanwhile.length + 1);
  });
});
