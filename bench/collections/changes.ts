/** The measurement that the rows of collections share: a table, its writers, and readers of whom each sees some of its changes. */
import { openReaders, openTableWriters, type Reading, type StreamRequest, type Updating } from '../load.ts';
import { cpuSeconds } from '../processes.ts';
import type { Sample } from '../rounds.ts';
import { BEFORE_TIME, type LiveTable, openTable, type TableOptions } from './live-table.ts';

/** A set rate that was held to less than this share was another load, and its costs cannot be compared. */
const LEAST_OF_RATE = 0.8;
/** Loopback addresses that the streams come from, so that the ports of one are not used up. */
const SOURCES = 8;
/** How long all changes are waited for, in milliseconds. */
const SETTLE_MS = 60_000;

export interface ChangeLoad extends TableOptions {
  readonly writers: number;
  /** Updates a second; absent: as fast as they are committed. */
  readonly rate?: number;
  readonly readers: number;
  /** `all`: every reader sees every row. `filter`: by `part=eq.<n>`. `policy`: by the claim `part`, each reader as another subject. */
  readonly sees: 'all' | 'filter' | 'policy';
  /** Each row is updated once in a stretch, which ends there: a view may tell several changes of one row as one. */
  readonly once?: boolean;
  readonly warmSeconds: number;
  readonly seconds: number;
  readonly sampleEvery: number;
}

export type ChangeMeasures = {
  /** Changes committed a second. */
  readonly committed: number;
  /** Changes a second, from the first update to the last delivery: what went all the way. */
  readonly changes: number;
  /** Seconds from the last commit to the last delivery: the backlog at the end. */
  readonly drain: number;
  /** Milliseconds from the start of an update to its delivery. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the server's processor time for each change. */
  readonly cpu: number;
};

/** Updates a table that is a live collection, and counts: every reader has every change that it sees exactly once. */
export async function measureChanges(url: string, load: ChangeLoad): Promise<Sample<ChangeMeasures>> {
  const { rows, parts, writers, readers: connections, sampleEvery } = load;
  // Rows are updated in turn, from the first in every stretch, so what each part has had is known.
  if (rows % parts !== 0) throw new RangeError('every part has as many rows');
  const table = await openTable(url, load);
  const closing: { close(): Promise<void> }[] = [table];
  try {
    const requests = await requestsOf(table, load);
    const reading = {
      topic: table.name,
      connections,
      sampleEvery,
      sources: SOURCES,
      beforeTime: BEFORE_TIME,
      requests,
    };
    const readers = await openReaders(table.server, reading);
    closing.unshift(readers);
    const updates = await openTableWriters(url, writers);
    closing.unshift(updates);
    const stretch = async (seconds: number): Promise<readonly [Updating, Reading, string | undefined]> => {
      await readers.mark();
      const updating = await updates.update({
        table: table.name,
        rows,
        seconds,
        ...(load.rate !== undefined && { rate: load.rate }),
        ...(load.once === true && { updates: rows }),
      });
      const each = expected(load, updating.committed);
      const read = await readers.settle(each, SETTLE_MS);
      return [updating, read, shortfall(updating, read, connections, each)];
    };
    const [, , cold] = await stretch(load.warmSeconds);
    if (cold !== undefined) return { failed: cold };
    const before = cpuSeconds(table.server.pid);
    const [updating, read, failed] = await stretch(load.seconds);
    const cpu = cpuSeconds(table.server.pid) - before;
    if (failed !== undefined) return { failed };
    const { committed, startedAt, lastAt } = updating;
    const perSecond = committed / ((lastAt - startedAt) / 1e6);
    if (load.rate !== undefined && perSecond < load.rate * LEAST_OF_RATE)
      return { failed: `only ${perSecond.toFixed(1)} of ${load.rate} updates a second could be made` };
    return {
      committed: perSecond,
      changes: committed / ((read.lastAt - startedAt) / 1e6),
      drain: Math.max(0, read.lastAt - lastAt) / 1e6,
      p50: read.latency.p50,
      p99: read.latency.p99,
      cpu: (cpu * 1e6) / committed,
    };
  } finally {
    for (const one of closing) await one.close();
  }
}

function requestsOf(table: LiveTable, { readers, parts, sees }: ChangeLoad): Promise<readonly StreamRequest[]> {
  if (sees === 'all') return Promise.all([table.streamOf({})]);
  const numbers = Array.from({ length: readers }, (_, n) => n);
  return Promise.all(numbers.map((n) => table.streamOf({ part: n % parts, ...(sees === 'policy' && { subject: n }) })));
}

/** How many changes each reader sees, in the order of the readers. */
function expected({ parts, sees }: ChangeLoad, committed: number): readonly number[] {
  if (sees === 'all') return [committed];
  return Array.from({ length: parts }, (_, part) => Math.ceil(Math.max(0, committed - part) / parts));
}

function shortfall(
  { refusal }: Updating,
  { delivered, wrong, closed }: Reading,
  readers: number,
  each: readonly number[],
): string | undefined {
  if (refusal !== undefined) return `an update failed: ${refusal}`;
  let all = 0;
  for (let reader = 0; reader < readers; reader += 1) all += each[reader % each.length] ?? 0;
  if (delivered !== all) return `${delivered} of ${all} deliveries arrived`;
  if (wrong > 0) return `${wrong} streams had too many or too few deliveries`;
  return closed > 0 ? `${closed} streams were closed` : undefined;
}
