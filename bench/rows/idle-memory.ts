/** Idle memory: 10,000 open streams of one topic on which nothing happens; what each adds to the server's resident memory. */
import { openReaders, openWriters, shortfall } from '../load.ts';
import { openFileLimit, pause, rssBytes } from '../processes.ts';
import { compare, contend, inRounds, newTopic, type Run, type Sample } from '../rounds.ts';
import { betterSse, nodeHttp, sluice, streamSse, type Target } from '../servers.ts';
import type { Line } from '../table.ts';

/** Files that a server needs besides its streams. */
const SPARE_FILES = 500;
/** Loopback addresses that the streams come from, so that the ports of one are not used up. */
const SOURCES = 8;

type IdleMeasures = {
  /** KB (1,000 bytes) of resident memory for each stream. */
  readonly perStream: number;
  readonly streams: number;
};

async function measure(target: Target, streams: number, settleMs: number): Promise<Sample<IdleMeasures>> {
  const server = await target.start();
  const closing: { close(): Promise<void> }[] = [];
  try {
    const topic = newTopic();
    // The code that opens and serves a stream is loaded before the first reading.
    const first = await openReaders(server, { topic, connections: 10 });
    closing.push(first);
    const writers = await openWriters(server, topic, 1);
    closing.push(writers);
    await first.settle((await writers.write({ seconds: 10, requests: 10 })).accepted);
    const before = rssBytes(server.pid);
    const readers = await openReaders(server, { topic, connections: streams, sources: SOURCES });
    closing.push(readers);
    // What opening left behind is given a moment to be collected; nobody asks the server to.
    await pause(settleMs);
    const perStream = (rssBytes(server.pid) - before) / streams / 1000;
    // Idle is not dead: one event must reach them all.
    const writing = await writers.write({ seconds: 10, requests: 1 });
    const failed = shortfall(writing, await readers.settle(1), streams);
    return failed === undefined ? { perStream, streams } : { failed };
  } finally {
    await Promise.all(closing.map((one) => one.close()));
    await server.stop();
  }
}

export async function idleMemory(run: Run): Promise<readonly Line[]> {
  const wanted = run.quick ? 1000 : 10_000;
  const streams = Math.min(wanted, openFileLimit() - SPARE_FILES);
  if (streams < wanted) run.log(`only ${streams} streams: a process may not open more files (ulimit -n)`);
  const baselines = [nodeHttp, ...run.optional, betterSse, streamSse];
  const short = { ...run, rounds: Math.min(run.rounds, 3) };
  const targets = [sluice(run.databaseUrl), ...baselines];
  const samples = await inRounds(
    short,
    contend(targets, (target) => measure(target, streams, run.quick ? 500 : 5000)),
  );
  return compare(samples, baselines, {
    row: 'idle memory',
    measure: `memory per stream at ${streams.toLocaleString('en-US')}`,
    unit: 'KB',
    of: 'perStream',
    bar: (baseline) => (baseline === nodeHttp ? { of: 'ratio', is: 'at most', limit: 1 } : undefined),
  });
}
