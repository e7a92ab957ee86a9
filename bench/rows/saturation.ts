/** Saturation: 100 streams of one topic, 16 publishers over HTTP, each sending as soon as it is answered. */
import { compare, contend, inRounds, type Run } from '../rounds.ts';
import { betterSse, nodeHttp, sluice, streamSse } from '../servers.ts';
import { measureStreams } from '../streams.ts';
import type { Line } from '../table.ts';

export async function saturation(run: Run): Promise<readonly Line[]> {
  const load = {
    subscribers: 100,
    publishers: 16,
    warmSeconds: run.quick ? 0.3 : 2,
    seconds: run.quick ? 1 : 5,
    sampleEvery: 256,
  };
  const baselines = [streamSse, nodeHttp, ...run.optional, betterSse];
  const targets = [sluice(run.databaseUrl), ...baselines];
  const samples = await inRounds(
    run,
    contend(targets, (target) => measureStreams(target, load)),
  );
  return compare(samples, baselines, {
    row: 'saturation',
    measure: 'deliveries',
    unit: '/s',
    of: 'deliveries',
    bar: (baseline) => (baseline === streamSse ? { of: 'ratio', is: 'at least', limit: 3 } : undefined),
  });
}
