/** Fan-out: one topic, 1,000 streams, 50 events a second. What a delivery costs the server. */
import { compare, contend, inRounds, type Run } from '../rounds.ts';
import { betterSse, nodeHttp, sluice, streamSse } from '../servers.ts';
import { measureStreams } from '../streams.ts';
import type { Line } from '../table.ts';

export async function fanOut(run: Run): Promise<readonly Line[]> {
  const load = {
    subscribers: run.quick ? 100 : 1000,
    publishers: 4,
    rate: 50,
    // At 50 events a second it takes hundreds of publishes until the code of one is compiled as it will stay.
    warmSeconds: run.quick ? 0.5 : 10,
    seconds: run.quick ? 1 : 6,
    sampleEvery: 16,
  };
  const baselines = [nodeHttp, ...run.optional, betterSse, streamSse];
  const targets = [sluice(run.databaseUrl), ...baselines];
  const samples = await inRounds(
    run,
    contend(targets, (target) => measureStreams(target, load)),
  );
  return compare(samples, baselines, {
    row: 'fan-out',
    measure: 'server CPU per delivery',
    unit: 'µs',
    of: 'cpu',
    bar(baseline) {
      if (baseline === nodeHttp) return { of: 'ratio', is: 'at most', limit: 0.75 };
      return run.optional.includes(baseline) ? { of: 'ratio', is: 'at most', limit: 0.8 } : undefined;
    },
  });
}
