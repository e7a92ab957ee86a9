/**
 * Readers of a collection, each with an equality filter of its own, against 10 such readers: one sees each change. 10,000 of them where
 * everybody sees every row, and 2,000 under row security, where each filter is a view.
 */
import { type ChangeMeasures, measureChanges } from '../collections/changes.ts';
import type { VisibilityName } from '../collections/definition.ts';
import { openFileLimit } from '../processes.ts';
import { inRounds, type Run, series } from '../rounds.ts';
import type { Line } from '../table.ts';

/** Files that a server needs besides its streams. */
const SPARE_FILES = 500;
const FEW = 10;
const WANTED = 10_000;
const SECURED = 2000;
/** Rows of each view, so that no row is updated twice in a stretch. */
const ROWS_EACH = 5;

export async function filteredReaders(run: Run): Promise<readonly Line[]> {
  const everyRow = await measure(run, 'every row', run.quick ? 1000 : WANTED, 'filters');
  const secured = await measure(run, 'by filter', run.quick ? 200 : SECURED, 'filters under row security');
  return [{ ...everyRow, bar: { of: 'ratio', is: 'at most', limit: 3 } }, secured];
}

async function measure(run: Run, visibility: VisibilityName, wanted: number, title: string): Promise<Line> {
  const many = Math.min(wanted, openFileLimit() - SPARE_FILES);
  if (many < wanted) run.log(`only ${many} readers: a process may not open more files (ulimit -n)`);
  const manyOf = many - (many % FEW);
  const load = (readers: number) =>
    measureChanges(run.databaseUrl, {
      visibility,
      sees: 'filter',
      // The same table and the same updates for both; the few share its rows among them.
      rows: manyOf * (visibility === 'by filter' ? ROWS_EACH : 1),
      parts: readers,
      writers: 4,
      rate: 500,
      // A view may tell several changes of one row as one.
      once: visibility === 'by filter',
      readers,
      warmSeconds: run.quick ? 0.5 : 3,
      seconds: run.quick ? 1 : 10,
      sampleEvery: 16,
    });
  const samples = await inRounds<ChangeMeasures>(run, [
    { name: 'many', measure: () => load(manyOf) },
    { name: 'few', measure: () => load(FEW) },
  ]);
  return {
    row: 'filtered readers',
    measure: `server CPU per change, ${manyOf.toLocaleString('en-US')} ${title}`,
    unit: 'µs',
    sluice: series(samples, 'many', 'cpu'),
    against: { name: `${FEW} filters`, series: series(samples, 'few', 'cpu') },
  };
}
