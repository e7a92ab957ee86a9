/** Rounds: everything that is compared is measured once in each, so that what disturbs the machine disturbs all of them alike. */
import type { Target } from './servers.ts';
import type { Bar, Line, Series } from './table.ts';

/** What a row is run with. */
export interface Run {
  /** Short and few rounds: shows that everything works, measures nothing. */
  readonly quick: boolean;
  readonly rounds: number;
  /** The fresh database of this run. */
  readonly databaseUrl: string;
  /** Baselines that are not always there. */
  readonly optional: readonly Target[];
  /** Tells whoever watches. */
  log(text: string): void;
}

/** What one round measured of one contender; or why it could not. */
export type Sample<Measures> = Measures | { readonly failed: string };

/** All that was measured, by name of who was measured, in the order of the rounds. */
export type Samples<Measures> = ReadonlyMap<string, readonly Sample<Measures>[]>;

/** Something that is measured once in each round. */
export interface Contender<Measures> {
  readonly name: string;
  measure(): Promise<Sample<Measures>>;
}

/** Makes contenders of servers. */
export function contend<Measures>(
  targets: readonly Target[],
  measure: (target: Target) => Promise<Sample<Measures>>,
): readonly Contender<Measures>[] {
  return targets.map((target) => ({ name: target.name, measure: () => measure(target) }));
}

/** Measures all in turn, in every other round in reverse order. Who failed once is not tried again. */
export async function inRounds<Measures extends Readonly<Record<string, number | undefined>>>(
  run: Run,
  contenders: readonly Contender<Measures>[],
): Promise<Samples<Measures>> {
  const samples = new Map<string, Sample<Measures>[]>(contenders.map((one) => [one.name, []]));
  for (let round = 0; round < run.rounds; round += 1) {
    for (const { name, measure } of round % 2 === 0 ? contenders : [...contenders].reverse()) {
      const own = samples.get(name) ?? [];
      if (own.some((sample) => 'failed' in sample)) continue;
      const sample = await measure().catch((error: Error) => ({ failed: error.message }));
      own.push(sample);
      run.log(`  round ${round + 1} of ${run.rounds}, ${name}: ${describe(sample)}`);
    }
  }
  return samples;
}

function describe(sample: Readonly<Record<string, number | string | undefined>>): string {
  return Object.entries(sample)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`)
    .join(', ');
}

/** One measure of one contender over all rounds. */
export function series<Measures extends Readonly<Record<string, number | undefined>>>(
  samples: Samples<Measures>,
  name: string,
  measure: keyof Measures & string,
): Series {
  const values: number[] = [];
  for (const sample of samples.get(name) ?? []) {
    if ('failed' in sample) return { failed: String(sample.failed) };
    values.push(sample[measure] ?? Number.NaN);
  }
  return { values };
}

/** Compares one measure of Sluice with each baseline: a line for each, in their order. */
export function compare<Measures extends Readonly<Record<string, number | undefined>>>(
  samples: Samples<Measures>,
  baselines: readonly Target[],
  row: Pick<Line, 'row' | 'measure' | 'unit'> & {
    /** The member of the samples that is compared. */
    readonly of: keyof Measures & string;
    readonly bar: (baseline: Target) => Bar | undefined;
  },
): readonly Line[] {
  const { of, bar, ...titles } = row;
  return baselines.map((baseline) => {
    const limit = bar(baseline);
    return {
      ...titles,
      sluice: series(samples, 'Sluice', of),
      against: { name: baseline.name, series: series(samples, baseline.name, of) },
      ...(limit !== undefined && { bar: limit }),
    };
  });
}

/** A topic of its own for each measurement. */
export function newTopic(): string {
  return `bench:${Math.random().toString(36).slice(2, 10).padEnd(8, '0')}`;
}
