/** Writers that do to captured tables all that people do in transactions, and remember what they did. */
import postgres from 'postgres';
import { pause } from '../support/until.ts';
import { TABLES, type Table } from './relay-harness.ts';

/** A transaction that was committed, as its writer saw it. Times are of the monotonic clock of this process. */
export interface Committed {
  readonly xact: string;
  /** The names (`sluice.mutation`) of the changes that it made, in order. */
  readonly changes: readonly { readonly table: Table; readonly mutation: string }[];
  /** Just before its last change was asked for, and just after its commit was acknowledged. */
  readonly lastBegun: number;
  readonly acknowledged: number;
}

export interface WriterOptions {
  readonly url: string;
  readonly name: string;
  readonly random: () => number;
  readonly ids: number;
  /** Whether to go on. */
  readonly goesOn: () => boolean;
}

const ISOLATIONS = ['read committed', 'read committed', 'repeatable read', 'serializable'];
/** Transactions that have to begin again: serialization failures and deadlocks; and keys that somebody else has just inserted. */
const EXPECTED = ['40001', '40P01', '23505'];

/** Writes one transaction after the other. @returns those that were committed */
export async function write({ url, name, random, ids, goesOn }: WriterOptions): Promise<readonly Committed[]> {
  // Writers lock rows in any order, so deadlocks are many: they are to be found quickly.
  const connection = { deadlock_timeout: '20ms' } as Partial<postgres.ConnectionParameters>;
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connection });
  const committed: Committed[] = [];
  const below = (bound: number) => Math.floor(random() * bound);
  let number = 0;

  async function change(changes: { table: Table; mutation: string }[], fails: boolean): Promise<number> {
    number += 1;
    const mutation = `${name}/${number}`;
    const table = TABLES[below(TABLES.length)]!;
    const id = below(ids);
    await sql.unsafe(`select set_config('sluice.mutation', '${mutation}', true)`);
    const begun = performance.now();
    const statement = [
      `insert into ${table} values (${id}, '${mutation}') on conflict (id) do update set value = excluded.value`,
      `insert into ${table} values (${id}, '${mutation}') on conflict do nothing`,
      `update ${table} set value = '${mutation}' where id = ${id}`,
      `update ${table} set value = '${mutation}' where id between ${id} and ${id + 2}`,
      `delete from ${table} where id = ${id}`,
    ][below(5)]!;
    const rows = await sql.unsafe(`${statement} returning id`);
    // What a failed savepoint did is not to be seen.
    if (!fails) for (const _ of rows) changes.push({ table, mutation });
    return rows.length > 0 ? begun : Number.NEGATIVE_INFINITY;
  }

  async function transaction(): Promise<void> {
    const changes: { table: Table; mutation: string }[] = [];
    let lastBegun = Number.NEGATIVE_INFINITY;
    const isolation = ISOLATIONS[below(ISOLATIONS.length)]!;
    try {
      await sql.unsafe(`begin isolation level ${isolation}`);
      for (let count = 1 + below(5); count > 0; count -= 1) {
        const kind = random();
        if (kind < 0.2) {
          const fails = random() < 0.5;
          await sql.unsafe('savepoint s');
          const begun = await change(changes, fails);
          if (!fails) lastBegun = Math.max(lastBegun, begun);
          await sql.unsafe(fails ? 'rollback to savepoint s' : 'release savepoint s');
        } else lastBegun = Math.max(lastBegun, await change(changes, false));
        // Some take their time between two changes.
        if (random() < 0.15) await pause(random() * 60);
      }
      const [row] = await sql.unsafe<{ xact: string }[]>('select pg_current_xact_id()::text as xact');
      if (random() < 0.15) {
        await sql.unsafe('rollback');
        return;
      }
      await sql.unsafe('commit');
      if (changes.length > 0) committed.push({ xact: row!.xact, changes, lastBegun, acknowledged: performance.now() });
    } catch (error) {
      await sql.unsafe('rollback');
      if (!EXPECTED.includes((error as { code?: string }).code ?? '')) throw error;
    }
  }

  try {
    while (goesOn()) await transaction();
  } finally {
    await sql.end({ timeout: 1 });
  }
  return committed;
}
