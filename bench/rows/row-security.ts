/** 500 readers of a collection under row security, 10 of whom see each change: in 50 views, and each in a view of its own. */

import { type ChangeMeasures, measureChanges } from '../collections/changes.ts';
import type { VisibilityName } from '../collections/definition.ts';
import { inRounds, type Run, series } from '../rounds.ts';
import type { Line } from '../table.ts';

const READERS = 500;
const PARTS = 50;

async function measure(run: Run, visibility: VisibilityName, title: string): Promise<Line> {
  const load = {
    visibility,
    sees: 'policy',
    rows: run.quick ? 1000 : 10_000,
    parts: PARTS,
    writers: 4,
    once: true,
    readers: READERS,
    warmSeconds: run.quick ? 0.3 : 2,
    seconds: run.quick ? 1 : 5,
    sampleEvery: 16,
  } as const;
  const samples = await inRounds<ChangeMeasures>(run, [
    { name: 'Sluice', measure: () => measureChanges(run.databaseUrl, load) },
  ]);
  return { row: 'row security', measure: title, unit: '/s', sluice: series(samples, 'Sluice', 'changes') };
}

export async function rowSecurity(run: Run): Promise<readonly Line[]> {
  const shared = await measure(run, 'by part', `changes delivered, ${READERS} readers in ${PARTS} views`);
  const own = await measure(run, 'by subject', `changes delivered, ${READERS} readers in ${READERS} views`);
  return [{ ...shared, bar: { of: 'value', is: 'at least', limit: 300 } }, own];
}
