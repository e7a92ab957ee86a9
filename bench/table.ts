/** What a row reports, and the table of it: ratios within one run, their median and range, and the bar. */

/** The values of one measure, one for each round; or why there are none. */
export type Series = { readonly values: readonly number[] } | { readonly failed: string };

/** What must be reached. `ratio` compares with the line's baseline, `value` is in the line's unit. */
export type Bar = {
  readonly of: 'ratio' | 'value';
  readonly is: 'at most' | 'at least';
  readonly limit: number;
};

/** One line of the table. */
export interface Line {
  readonly row: string;
  /** What is measured, and its unit. */
  readonly measure: string;
  readonly unit: string;
  readonly sluice: Series;
  /** Absent where nothing is comparable. */
  readonly against?: { readonly name: string; readonly series: Series };
  readonly bar?: Bar;
  /** Summarises the rounds of Sluice's own values; default the median. */
  readonly of?: 'median' | 'worst';
}

/** A median and its range. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The ratios of a line, round by round; `undefined` when there is nothing to compare. */
export function ratios(line: Line): Summary | undefined {
  const ours = line.sluice;
  const theirs = line.against?.series;
  if ('failed' in ours || theirs === undefined || 'failed' in theirs) return undefined;
  return summarise(ours.values.map((value, round) => value / (theirs.values[round] ?? Number.NaN)));
}

export type Verdict = 'reached' | 'missed' | 'failed' | '';

export function verdict(line: Line): Verdict {
  if ('failed' in line.sluice) return 'failed';
  if (line.against !== undefined && 'failed' in line.against.series) return 'failed';
  if (line.bar === undefined) return '';
  const value = line.bar.of === 'ratio' ? ratios(line)?.median : own(line, line.sluice.values);
  if (value === undefined || Number.isNaN(value)) return 'failed';
  return (line.bar.is === 'at most' ? value <= line.bar.limit : value >= line.bar.limit) ? 'reached' : 'missed';
}

function own(line: Line, values: readonly number[]): number {
  const { median, min, max } = summarise(values);
  if (line.of !== 'worst') return median;
  return line.bar?.is === 'at least' ? min : max;
}

/** Three significant digits, and thousands apart. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return 'none';
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return rounded.toLocaleString('en-US');
}

function cells(line: Line): readonly string[] {
  const ours = 'failed' in line.sluice ? 'failed' : figure(own(line, line.sluice.values));
  const series = line.against?.series;
  const theirs = series === undefined ? '' : 'failed' in series ? 'failed' : figure(summarise(series.values).median);
  const ratio = ratios(line);
  const range = ratio && `${figure(ratio.median)} (${figure(ratio.min)}–${figure(ratio.max)})`;
  const bar = line.bar && `${line.bar.is === 'at most' ? '≤' : '≥'} ${figure(line.bar.limit)}`;
  const unit = line.bar?.of === 'ratio' ? '×' : line.unit;
  return [
    line.row,
    line.unit === '' ? line.measure : `${line.measure}, ${line.unit}`,
    ours,
    line.against?.name ?? '',
    theirs,
    range ?? '',
    bar === undefined ? '' : `${bar} ${unit}`,
    verdict(line),
  ];
}

const HEADINGS = ['row', 'measured', 'Sluice', 'baseline', 'its figure', 'ratio (min–max)', 'bar', 'verdict'];
const RIGHT = new Set([2, 4]);

/** The table as text for a terminal. */
export function textTable(lines: readonly Line[]): string {
  const rows = [HEADINGS, ...lines.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (text: string, column: number): string =>
    RIGHT.has(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  const text = rows.map((row) => row.map(pad).join('  ').trimEnd());
  return [...text, ...failures(lines)].join('\n');
}

/** The table as Markdown, between the two marks that hold it in `docs/benchmarks.md`. */
export function markdownTable(lines: readonly Line[], about: string): string {
  const row = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  const rule = row(HEADINGS.map((_, column) => (RIGHT.has(column) ? '--:' : '---')));
  const table = [row(HEADINGS), rule, ...lines.map((line) => row(cells(line)))];
  const failed = failures(lines).map((text) => `- ${text}`);
  const parts = ['<!-- bench:begin -->', about, '', ...table, ...(failed.length > 0 ? ['', ...failed] : [])];
  return [...parts, '<!-- bench:end -->'].join('\n');
}

/** Why lines have failed, each reason once. */
function failures(lines: readonly Line[]): readonly string[] {
  const reasons = lines.flatMap((line) => {
    const theirs = line.against;
    const texts: string[] = [];
    if ('failed' in line.sluice) texts.push(`${line.row}, Sluice: ${firstLine(line.sluice.failed)}`);
    if (theirs !== undefined && 'failed' in theirs.series)
      texts.push(`${line.row}, ${theirs.name}: ${firstLine(theirs.series.failed)}`);
    return texts;
  });
  return [...new Set(reasons)];
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
