/** Captured changes without a pause: 16 writers, each updating single rows as fast as they are committed, and one reader. */
import { type ChangeMeasures, measureChanges } from '../collections/changes.ts';
import { inRounds, type Run, series } from '../rounds.ts';
import type { Line } from '../table.ts';

const WRITERS = 16;

export async function capturedChanges(run: Run): Promise<readonly Line[]> {
  const load = {
    visibility: 'every row',
    sees: 'all',
    rows: 1000,
    parts: 1,
    writers: WRITERS,
    readers: 1,
    warmSeconds: run.quick ? 0.5 : 3,
    seconds: run.quick ? 1 : 10,
    sampleEvery: 16,
  } as const;
  const samples = await inRounds<ChangeMeasures>(run, [
    { name: 'Sluice', measure: () => measureChanges(run.databaseUrl, load) },
  ]);
  const line = (measure: string, unit: string, of: keyof ChangeMeasures): Line => ({
    row: 'captured changes',
    measure,
    unit,
    sluice: series(samples, 'Sluice', of),
  });
  return [
    {
      ...line(`single-row updates of ${WRITERS} writers, delivered`, '/s', 'changes'),
      bar: { of: 'value', is: 'at least', limit: 5000 },
    },
    // The relay keeps up: what the writers leave behind does not grow with the time that they write.
    {
      ...line('last commit to last delivery', 's', 'drain'),
      of: 'worst',
      bar: { of: 'value', is: 'at most', limit: 1 },
    },
  ];
}
