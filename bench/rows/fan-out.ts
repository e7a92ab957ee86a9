/** Fan-out: one topic, 1,000 streams, 50 events a second. What a delivery costs the server. */
import { contend, inRounds, type Run, series } from '../rounds.ts';
import { betterSse, nodeHttp, sluice, streamSse } from '../servers.ts';
import { measureStreams } from '../streams.ts';
import type { Line } from '../table.ts';

export async function fanOut(run: Run): Promise<readonly Line[]> {
  const load = {
    subscribers: run.quick ? 100 : 1000,
    publishers: 4,
    rate: 50,
    warmSeconds: run.quick ? 0.5 : 2,
    seconds: run.quick ? 1 : 6,
    sampleEvery: 16,
  };
  const baselines = [nodeHttp, ...run.optional, betterSse, streamSse];
  const targets = [sluice(run.databaseUrl), ...baselines];
  const samples = await inRounds(
    run,
    contend(targets, (target) => measureStreams(target, load)),
  );
  return baselines.map((baseline): Line => {
    const line: Line = {
      row: 'fan-out',
      measure: 'server CPU per delivery',
      unit: 'µs',
      sluice: series(samples, 'Sluice', 'cpu'),
      against: { name: baseline.name, series: series(samples, baseline.name, 'cpu') },
    };
    if (baseline === nodeHttp) return { ...line, bar: { of: 'ratio', is: 'at most', limit: 0.75 } };
    if (run.optional.includes(baseline)) return { ...line, bar: { of: 'ratio', is: 'at most', limit: 0.8 } };
    return line;
  });
}
