/**
 * What the capture of a table costs a writer: single-row updates of one connection, on a table with capture and on one without;
 * by the triggers alone, and with a relay at work that moves the changes meanwhile, on the same processors.
 */
import { openTable } from '../collections/live-table.ts';
import { openTableWriters } from '../load.ts';
import { pause } from '../processes.ts';
import { inRounds, type Run, type Sample, series } from '../rounds.ts';
import type { Line } from '../table.ts';

const ROWS = 1000;
/** Updates between two changes of the table. */
const BLOCK = 500;
/** The relay is given so long to move what is left of a block, so that the next one does not pay for it. In milliseconds. */
const PAUSE_MS = 100;
const LONGEST_SECONDS = 60;

type OverheadMeasures = {
  /** Microseconds for each update, from its start to its commit. */
  readonly captured: number;
  readonly plain: number;
};

async function measure(url: string, blocks: number, relay: boolean): Promise<Sample<OverheadMeasures>> {
  const table = await openTable(url, { rows: ROWS, parts: 1, visibility: 'every row' });
  const closing: { close(): Promise<void> }[] = [table];
  try {
    if (!relay) await table.stopRelay();
    const writers = await openTableWriters(url, 1);
    closing.unshift(writers);
    const times = { captured: 0, plain: 0 };
    const block = async (which: keyof OverheadMeasures): Promise<string | undefined> => {
      const name = which === 'captured' ? table.name : table.plain;
      const plan = { table: name, rows: ROWS, seconds: LONGEST_SECONDS, updates: BLOCK };
      const { committed, refusal, startedAt, lastAt } = await writers.update(plan);
      times[which] += lastAt - startedAt;
      await pause(PAUSE_MS);
      return refusal ?? (committed === BLOCK ? undefined : `${committed} of ${BLOCK} updates were committed`);
    };
    // The first pair only warms up.
    for (let done = -1; done < blocks; done += 1) {
      if (done === 0) Object.assign(times, { captured: 0, plain: 0 });
      // In pairs, and every other one in reverse order.
      const pair = done % 2 === 0 ? (['captured', 'plain'] as const) : (['plain', 'captured'] as const);
      for (const which of pair) {
        const failed = await block(which);
        if (failed !== undefined) return { failed };
      }
    }
    return { captured: times.captured / (blocks * BLOCK), plain: times.plain / (blocks * BLOCK) };
  } finally {
    for (const one of closing) await one.close();
  }
}

const ALONE = 'triggers alone';
const BESIDE = 'beside the relay';

export async function captureOverhead(run: Run): Promise<readonly Line[]> {
  const blocks = run.quick ? 2 : 20;
  const samples = await inRounds<OverheadMeasures>(run, [
    { name: ALONE, measure: () => measure(run.databaseUrl, blocks, false) },
    { name: BESIDE, measure: () => measure(run.databaseUrl, blocks, true) },
  ]);
  const line = (name: string): Line => ({
    row: 'capture overhead',
    measure: `single-row update, ${name}`,
    unit: 'µs',
    sluice: series(samples, name, 'captured'),
    against: { name: 'no capture', series: series(samples, name, 'plain') },
  });
  return [{ ...line(ALONE), bar: { of: 'ratio', is: 'at most', limit: 1.5 } }, line(BESIDE)];
}
