/**
 * A gap-free log as it is usually written: for every event one transaction that takes the next number under the topic's row
 * lock, inserts one row, and commits. No HTTP. Driven over IPC by `rows/publish.ts`.
 */
import postgres from 'postgres';
import { microseconds } from '../load/clock.ts';

export interface InsertPlan {
  readonly url: string;
  readonly writers: number;
  /** Connections to the database that the writers share. */
  readonly connections: number;
  readonly seconds: number;
}

export interface Inserted {
  readonly inserted: number;
  readonly perSecond: number;
}

async function insertRows(plan: InsertPlan): Promise<Inserted> {
  const sql = postgres(plan.url, { max: plan.connections, onnotice: () => {} });
  await sql`create schema if not exists baseline`;
  await sql`create table if not exists baseline.topics (name text primary key, head bigint not null)`;
  await sql`create table if not exists baseline.events (
    topic text, seq bigint, time timestamptz not null default now(), body text not null, primary key (topic, seq))`;
  const topic = `bench:${Math.random().toString(36).slice(2, 10)}`;
  await sql`insert into baseline.topics values (${topic}, 0)`;
  let inserted = 0;
  let stopAt = 0;
  const body = '"type":"message","data":"~0000000000000000","actor":"bench"}';
  const writer = async (): Promise<void> => {
    while (microseconds() < stopAt) {
      await sql.begin(async (tx) => {
        const [row] = await tx`update baseline.topics set head = head + 1 where name = ${topic} returning head`;
        await tx`insert into baseline.events (topic, seq, body) values (${topic}, ${row?.['head']}, ${body})`;
      });
      inserted += 1;
    }
  };
  const run = async (seconds: number): Promise<number> => {
    inserted = 0;
    const startedAt = microseconds();
    stopAt = startedAt + seconds * 1e6;
    await Promise.all(Array.from({ length: plan.writers }, writer));
    return inserted / ((microseconds() - startedAt) / 1e6);
  };
  await run(Math.min(2, plan.seconds));
  const perSecond = await run(plan.seconds);
  const [rows] =
    await sql`select count(*)::int as stored, max(seq)::int as head from baseline.events where topic = ${topic}`;
  await sql.end();
  if (rows?.['stored'] !== rows?.['head']) throw new Error('the baseline log has holes');
  return { inserted, perSecond };
}

process.on('message', (plan: InsertPlan) => {
  insertRows(plan).then(
    (reply) => process.send?.(reply),
    (error: Error) => process.send?.({ fault: error.message }),
  );
});
process.on('disconnect', () => process.exit());
