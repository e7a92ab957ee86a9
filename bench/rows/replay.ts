/** Replay: 1,000,000 events from the database to one reader, from the beginning; how fast, and what it adds to the memory. */
import { openReaders, openWriters, type Readers, type Reading } from '../load.ts';
import { rssBytes } from '../processes.ts';
import { inRounds, newTopic, type Run, type Sample, series } from '../rounds.ts';
import { baseline, type Server, sluice } from '../servers.ts';
import type { Line } from '../table.ts';

/** Events of one publish while the log is filled: the most that the protocol allows. */
const BATCH = 1000;
const BASELINE = 'row cursor';
/** How often the server's memory is read, in milliseconds. */
const WATCH_MS = 50;
/** The longest that a replay, or filling the log, may take. */
const LONGEST_MS = 180_000;

type ReplayMeasures = {
  readonly perSecond: number;
  /** MB (1,000,000 bytes) by which resident memory at its highest exceeded that before the replay. */
  readonly growth: number;
};

async function replay(server: Server, topic: string, events: number): Promise<Sample<ReplayMeasures>> {
  const before = rssBytes(server.pid);
  let highest = before;
  const watch = setInterval(() => {
    highest = Math.max(highest, rssBytes(server.pid));
  }, WATCH_MS);
  const query = '?after=earliest';
  let reader: Readers | undefined;
  let reading: Reading;
  try {
    reader = await openReaders(server, { topic, connections: 1, query, sampleEvery: events });
    reading = await reader.settle(events, LONGEST_MS);
  } finally {
    clearInterval(watch);
    await reader?.close();
  }
  if (reading.delivered !== events) return { failed: `${reading.delivered} of ${events} deliveries arrived` };
  const perSecond = events / ((reading.lastAt - reading.openedAt) / 1e6);
  return { perSecond, growth: (highest - before) / 1e6 };
}

/** Fills a topic through the public API. */
async function fill(server: Server, topic: string, events: number): Promise<void> {
  const writers = await openWriters(server, topic, 4);
  try {
    const writing = await writers.write({ seconds: LONGEST_MS / 1000, requests: events / BATCH, batch: BATCH });
    if (writing.accepted * BATCH !== events)
      throw new Error(`the log was not filled: ${writing.refusal ?? `${writing.accepted} publishes were answered`}`);
  } finally {
    await writers.close();
  }
}

export async function replayAll(run: Run): Promise<readonly Line[]> {
  const events = run.quick ? 20_000 : 1_000_000;
  const env = { DATABASE_URL: run.databaseUrl, BENCH_EVENTS: `${events}` };
  const ours = await sluice(run.databaseUrl).start();
  const topic = newTopic();
  try {
    await fill(ours, topic, events);
    const theirs = await baseline(BASELINE, 'row-replay.ts', env).start();
    try {
      const samples = await inRounds(run, [
        { name: ours.name, measure: () => replay(ours, topic, events) },
        { name: BASELINE, measure: () => replay(theirs, topic, events) },
      ]);
      const line = (measure: string, unit: string, of: keyof ReplayMeasures): Line => ({
        row: 'replay',
        measure,
        unit,
        sluice: series(samples, ours.name, of),
        against: { name: BASELINE, series: series(samples, BASELINE, of) },
      });
      const title = `${events.toLocaleString('en-US')} events to one reader`;
      return [
        { ...line(title, '/s', 'perSecond'), bar: { of: 'value', is: 'at least', limit: 150_000 } },
        // Flat: less than a third of what the log holds, even in the worst round.
        {
          ...line('memory growth meanwhile', 'MB', 'growth'),
          of: 'worst',
          bar: { of: 'value', is: 'at most', limit: 64 },
        },
      ];
    } finally {
      await theirs.stop();
    }
  } finally {
    await ours.stop();
  }
}
