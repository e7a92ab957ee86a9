/** 10,000 readers of a collection, each with an equality filter of its own, against 10 such readers: one sees each change. */
import { type ChangeMeasures, measureChanges } from '../collections/changes.ts';
import { openFileLimit } from '../processes.ts';
import { inRounds, type Run, series } from '../rounds.ts';
import type { Line } from '../table.ts';

/** Files that a server needs besides its streams. */
const SPARE_FILES = 500;
const FEW = 10;
const WANTED = 10_000;

export async function filteredReaders(run: Run): Promise<readonly Line[]> {
  const wanted = run.quick ? 1000 : WANTED;
  const many = Math.min(wanted, openFileLimit() - SPARE_FILES);
  if (many < wanted) run.log(`only ${many} readers: a process may not open more files (ulimit -n)`);
  const measure = (readers: number) =>
    measureChanges(run.databaseUrl, {
      visibility: 'every row',
      sees: 'filter',
      // The same table and the same updates for both; the few share its rows among them.
      rows: many - (many % FEW),
      parts: readers,
      writers: 4,
      rate: 500,
      readers,
      warmSeconds: run.quick ? 0.5 : 3,
      seconds: run.quick ? 1 : 10,
      sampleEvery: 16,
    });
  const manyOf = many - (many % FEW);
  const samples = await inRounds<ChangeMeasures>(run, [
    { name: 'many', measure: () => measure(manyOf) },
    { name: 'few', measure: () => measure(FEW) },
  ]);
  return [
    {
      row: 'filtered readers',
      measure: `server CPU per change, ${manyOf.toLocaleString('en-US')} filters`,
      unit: 'µs',
      sluice: series(samples, 'many', 'cpu'),
      against: { name: `${FEW} filters`, series: series(samples, 'few', 'cpu') },
      bar: { of: 'ratio', is: 'at most', limit: 3 },
    },
  ];
}
