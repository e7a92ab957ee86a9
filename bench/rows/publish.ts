/** Durable publish: 64 HTTP writers to one topic, one event a request, against one locked insert after the other. */
import type { Inserted, InsertPlan } from '../baselines/row-inserts.ts';
import { openReaders, openWriters, shortfall } from '../load.ts';
import { cpuSeconds, start } from '../processes.ts';
import { inRounds, newTopic, type Run, type Sample, series } from '../rounds.ts';
import { sluice, type Target } from '../servers.ts';
import type { Line } from '../table.ts';

const WRITERS = 64;
const BASELINE = 'row inserts';
/** Connections of the baseline, which it was fastest with: more of them only wait for the same lock. */
const CONNECTIONS = 8;

type PublishMeasures = {
  readonly publishes: number;
  /** Microseconds of the server's processor time for each publish. */
  readonly cpu?: number;
  /** Milliseconds from request to answer. */
  readonly p50?: number;
};

async function publish(target: Target, seconds: number): Promise<Sample<PublishMeasures>> {
  const server = await target.start();
  const closing: { close(): Promise<void> }[] = [];
  try {
    const topic = newTopic();
    const writers = await openWriters(server, topic, WRITERS);
    closing.push(writers);
    const warming = await writers.write({ seconds: Math.min(2, seconds) });
    const before = cpuSeconds(server.pid);
    const writing = await writers.write({ seconds });
    const cpu = cpuSeconds(server.pid) - before;
    // What was acknowledged must be in the log: all of it is read back.
    const reader = await openReaders(server, { topic, connections: 1, query: '?after=earliest' });
    closing.push(reader);
    const accepted = warming.accepted + writing.accepted;
    const refusal = warming.refusal ?? writing.refusal;
    const sent = warming.sent + writing.sent;
    const failed = shortfall({ ...writing, sent, accepted, refusal }, await reader.settle(accepted), 1);
    if (failed !== undefined) return { failed };
    return {
      publishes: writing.accepted / ((writing.lastAt - writing.startedAt) / 1e6),
      cpu: (cpu * 1e6) / writing.accepted,
      p50: writing.latency.p50,
    };
  } finally {
    await Promise.all(closing.map((one) => one.close()));
    await server.stop();
  }
}

async function insertRows(url: string, seconds: number): Promise<Sample<PublishMeasures>> {
  const child = start({ name: BASELINE, file: 'bench/baselines/row-inserts.ts', ipc: true });
  try {
    const plan: InsertPlan = { url, writers: WRITERS, connections: CONNECTIONS, seconds };
    const { perSecond } = await child.ask<Inserted>(plan);
    return { publishes: perSecond };
  } finally {
    child.kill();
    await child.ended;
  }
}

export async function durablePublish(run: Run): Promise<readonly Line[]> {
  const seconds = run.quick ? 1 : 5;
  const ours = sluice(run.databaseUrl);
  const samples = await inRounds(run, [
    { name: ours.name, measure: () => publish(ours, seconds) },
    { name: BASELINE, measure: () => insertRows(run.databaseUrl, seconds) },
  ]);
  return [
    {
      row: 'durable publish',
      measure: `events to one topic, ${WRITERS} writers`,
      unit: '/s',
      sluice: series(samples, ours.name, 'publishes'),
      against: { name: BASELINE, series: series(samples, BASELINE, 'publishes') },
      bar: { of: 'ratio', is: 'at least', limit: 6 },
    },
  ];
}
