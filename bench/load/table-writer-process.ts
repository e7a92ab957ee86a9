/**
 * Updates rows of a table over postgres.js, each in a transaction of its own, at a set rate or as fast as they are committed.
 * Driven over IPC by `load.ts`.
 */
import postgres from 'postgres';
import { microseconds, stamp } from './clock.ts';

export interface OpenTable {
  readonly kind: 'open';
  readonly url: string;
  readonly writers: number;
}

export interface Update {
  readonly kind: 'update';
  readonly table: string;
  /** The rows are updated one after the other, from the first, and again. */
  readonly rows: number;
  /** When to stop, in seconds from now. */
  readonly seconds: number;
  /** Updates a second over all writers; absent: each writer updates as soon as its last update is committed. */
  readonly rate?: number;
  /** Stop after so many updates, if that is earlier. */
  readonly updates?: number;
}

export type TableWriterCommand = OpenTable | Update;

export interface Updating {
  /** Updates that were committed. */
  readonly committed: number;
  /** The first update that went wrong. */
  readonly refusal: string | undefined;
  /** The first update, and the last commit, in microseconds of the machine's clock. */
  readonly startedAt: number;
  readonly lastAt: number;
}

let sql: postgres.Sql | undefined;
let writers = 0;

async function open(plan: OpenTable): Promise<void> {
  writers = plan.writers;
  sql = postgres(plan.url, { max: writers, onnotice: () => {} });
  // Every connection is opened now, and not at the first update.
  await Promise.all(Array.from({ length: writers }, () => sql?.unsafe('select pg_sleep(0.1)')));
}

async function update(plan: Update): Promise<Updating> {
  const to = sql;
  if (to === undefined) throw new Error('no connection was opened');
  const { rows, rate } = plan;
  const limit = plan.updates ?? Number.MAX_SAFE_INTEGER;
  const text = `update ${plan.table} set at = $1 where id = $2`;
  let sent = 0;
  let committed = 0;
  let refusal: string | undefined;
  const startedAt = microseconds();
  let lastAt = startedAt;
  const stopAt = startedAt + plan.seconds * 1e6;
  const writer = async (): Promise<void> => {
    while (sent < limit && refusal === undefined) {
      const now = microseconds();
      if (now >= stopAt) return;
      const due = rate === undefined ? now : startedAt + (sent * 1e6) / rate;
      if (due > now) {
        await new Promise((tick) => setTimeout(tick, 1));
        continue;
      }
      const row = sent % rows;
      sent += 1;
      // An update that had to wait for a writer for longer than timers are late is timed from when it was due.
      const time = stamp(now - due > 5000 ? due : now).slice(1);
      const { count } = await to.unsafe(text, [time, row], { prepare: true });
      lastAt = microseconds();
      if (count === 1) committed += 1;
      else refusal ??= `there is no row ${row}`;
    }
  };
  await Promise.all(Array.from({ length: writers }, writer)).catch((error: Error) => {
    refusal ??= error.message;
  });
  return { committed, refusal, startedAt, lastAt };
}

process.on('message', (command: TableWriterCommand) => {
  const done: Promise<object> = command.kind === 'open' ? open(command).then(() => ({})) : update(command);
  done.then(
    (reply) => process.send?.(reply),
    (error: Error) => process.send?.({ fault: error.message }),
  );
});
process.on('disconnect', () => process.exit());
