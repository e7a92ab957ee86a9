/** From an update in the database to its delivery at light load: one writer, 50 updates a second, 10 readers of the collection. */
import { type ChangeMeasures, measureChanges } from '../collections/changes.ts';
import { inRounds, type Run, series } from '../rounds.ts';
import type { Line } from '../table.ts';

export async function commitLatency(run: Run): Promise<readonly Line[]> {
  const load = {
    visibility: 'every row',
    sees: 'all',
    rows: 1000,
    parts: 1,
    writers: 1,
    rate: 50,
    readers: 10,
    warmSeconds: run.quick ? 0.5 : 3,
    seconds: run.quick ? 1 : 10,
    sampleEvery: 1,
  } as const;
  const samples = await inRounds<ChangeMeasures>(run, [
    { name: 'Sluice', measure: () => measureChanges(run.databaseUrl, load) },
  ]);
  return (['p50', 'p99'] as const).map((measure) => ({
    row: 'commit latency',
    measure: `update to delivery, ${measure}`,
    unit: 'ms',
    sluice: series(samples, 'Sluice', measure),
    bar: { of: 'value', is: 'at most', limit: measure === 'p50' ? 10 : 50 },
  }));
}
