/** `npm run sizes`: prints how large each bundle is, and fails where one has grown past its bar or holds what it must not. */
import { boundOf, ENTRIES, type Entry, measure } from './bundles.ts';

const measured = await Promise.all(ENTRIES.map(measure));
const rows = [
  ['bundle', 'min+gzip', 'bar', 'reach', ''],
  ...measured.map(({ entry, size }) => [
    entry.name,
    `${size} B`,
    `${entry.bar} B`,
    `${entry.reach} B`,
    verdict(entry, size),
  ]),
];
const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
for (const row of rows)
  console.log(
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );

for (const { entry, strangers } of measured)
  if (strangers.length > 0) console.error(`${entry.name} holds ${strangers.join(', ')}`);
if (measured.some(({ entry, size, strangers }) => size > boundOf(entry) || strangers.length > 0)) process.exitCode = 1;

function verdict(entry: Entry, size: number): string {
  if (size > boundOf(entry)) return 'TOO LARGE';
  if (size > entry.bar) return `${size - entry.bar} B beyond the bar`;
  return size > entry.reach ? 'within the bar' : 'within reach';
}
