/** Latency at light load: one publisher, 50 events a second, 10 streams; from the publisher's write to the reader's read. */
import { contend, inRounds, type Run, series } from '../rounds.ts';
import { nodeHttp, sluice } from '../servers.ts';
import { measureStreams } from '../streams.ts';
import type { Line } from '../table.ts';

export async function latency(run: Run): Promise<readonly Line[]> {
  const load = {
    subscribers: 10,
    publishers: 2,
    rate: 50,
    warmSeconds: run.quick ? 0.5 : 2,
    seconds: run.quick ? 1 : 10,
    sampleEvery: 1,
  };
  const targets = [sluice(run.databaseUrl), nodeHttp];
  const samples = await inRounds(
    run,
    contend(targets, (target) => measureStreams(target, load)),
  );
  return (['p50', 'p99'] as const).map((measure) => ({
    row: 'latency',
    measure: `publish to delivery, ${measure}`,
    unit: 'ms',
    sluice: series(samples, 'Sluice', measure),
    against: { name: nodeHttp.name, series: series(samples, nodeHttp.name, measure) },
    bar: { of: 'value', is: 'at most', limit: measure === 'p50' ? 5 : 20 },
  }));
}
