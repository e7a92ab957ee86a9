/**
 * Measures Sluice against other ways to do the same, in one run, and prints a table of ratios. See `docs/benchmarks.md`.
 *
 * Exit code: 0 when every count was right and every bar was reached, 1 otherwise (a `--quick` run has no bars), 2 for a
 * mistake in the command, 130 when interrupted.
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { createDatabase, type Database } from './database.ts';
import { nchan } from './nchan.ts';
import { stopAll } from './processes.ts';
import type { Run } from './rounds.ts';
import { captureOverhead } from './rows/capture-overhead.ts';
import { capturedChanges } from './rows/captured-changes.ts';
import { clientRecords } from './rows/client-records.ts';
import { commitLatency } from './rows/commit-latency.ts';
import { edge } from './rows/edge.ts';
import { fanOut } from './rows/fan-out.ts';
import { filteredReaders } from './rows/filtered-readers.ts';
import { idleMemory } from './rows/idle-memory.ts';
import { idleTraffic } from './rows/idle-traffic.ts';
import { latency } from './rows/latency.ts';
import { durablePublish } from './rows/publish.ts';
import { recovery } from './rows/recovery.ts';
import { replayAll } from './rows/replay.ts';
import { rowSecurity } from './rows/row-security.ts';
import { saturation } from './rows/saturation.ts';
import { startUp } from './rows/start-up.ts';
import { type Line, markdownTable, textTable, verdict } from './table.ts';

const ROWS: Readonly<Record<string, (run: Run) => Promise<readonly Line[]>>> = {
  'fan-out': fanOut,
  saturation,
  'idle-memory': idleMemory,
  publish: durablePublish,
  latency,
  replay: replayAll,
  'start-up': startUp,
  'capture-overhead': captureOverhead,
  'commit-latency': commitLatency,
  'captured-changes': capturedChanges,
  'filtered-readers': filteredReaders,
  'row-security': rowSecurity,
  'idle-traffic': idleTraffic,
  recovery,
  'client-records': clientRecords,
  edge,
};

const USAGE = `npm run bench -- [--only <row,...>] [--rounds <n>] [--quick] [--markdown]
rows: ${Object.keys(ROWS).join(', ')}`;

interface Command {
  readonly rows: readonly string[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly markdown: boolean;
}

/** Reads the command; `undefined` when there is a mistake in it. */
function readCommand(): Command | undefined {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        markdown: { type: 'boolean', default: false },
      },
    });
    const { quick, markdown } = values;
    const rows = values.only?.split(',') ?? Object.keys(ROWS);
    const rounds = Number(values.rounds ?? (quick ? 1 : 5));
    const known = rows.every((row) => Object.hasOwn(ROWS, row)) && Number.isInteger(rounds) && rounds > 0;
    return known ? { rows, rounds, quick, markdown } : undefined;
  } catch (error) {
    log((error as Error).message);
    return undefined;
  }
}

function log(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** What the numbers were measured on. */
function about(database: Database, command: Command): string {
  const [cpu] = cpus();
  const machine = `${cpus().length} × ${cpu?.model.trim() || 'unknown processor'}, ${Math.round(totalmem() / 1e9)} GB`;
  const date = new Date().toISOString().slice(0, 10);
  const rounds = `${command.rounds} ${command.rounds === 1 ? 'round' : 'rounds'}`;
  return `${date}: ${machine}, Node ${process.versions.node}, PostgreSQL ${database.version}; ${rounds}${command.quick ? ', --quick (not a measurement)' : ''}.`;
}

async function measure(command: Command, database: Database): Promise<readonly Line[]> {
  const extra = nchan();
  const streaming = ['fan-out', 'saturation', 'idle-memory'];
  if ('missing' in extra && command.rows.some((row) => streaming.includes(row)))
    log(`nginx+Nchan is left out: ${extra.missing}`);
  const optional = 'target' in extra ? [extra.target] : [];
  const { quick, rounds } = command;
  const lines: Line[] = [];
  for (const name of command.rows) {
    log(name);
    const row = ROWS[name];
    if (row === undefined) continue;
    try {
      const measured = await row({ quick, rounds, databaseUrl: database.url, optional, log });
      // So short a run measures nothing, so it reaches and misses nothing.
      lines.push(...measured.map((line) => (quick ? withoutBar(line) : line)));
    } catch (error) {
      lines.push({ row: name, measure: '', unit: '', sluice: { failed: (error as Error).message } });
    }
  }
  return lines;
}

function withoutBar({ row, measure, unit, sluice, against, of }: Line): Line {
  return { row, measure, unit, sluice, ...(against && { against }), ...(of && { of }) };
}

async function main(): Promise<number> {
  const command = readCommand();
  if (command === undefined) {
    log(USAGE);
    return 2;
  }
  const database = await createDatabase();
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return;
    interrupted = true;
    log('interrupted: ending the servers and dropping the database');
    void tidy(database).then(() => process.exit(130));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let lines: readonly Line[] = [];
  try {
    lines = await measure(command, database);
  } finally {
    if (!interrupted) await tidy(database);
  }
  // The interrupt ends the process; nothing that was measured on the way there is worth printing.
  if (interrupted) return new Promise<number>(() => {});
  process.stdout.write(`${command.markdown ? markdownTable(lines, about(database, command)) : textTable(lines)}\n`);
  return lines.some((line) => ['failed', 'missed'].includes(verdict(line))) ? 1 : 0;
}

async function tidy(database: Database): Promise<void> {
  await stopAll();
  await database.drop();
}

process.exitCode = await main();
