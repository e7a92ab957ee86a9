/** `npm run sizes`: prints how large each bundle is, and fails where one has grown past its bar or holds what it must not. */
import { ENTRIES, measure } from './bundles.ts';

const measured = await Promise.all(ENTRIES.map(measure));
const rows = [
  ['bundle', 'min+gzip', 'bar', 'reach', ''],
  ...measured.map(({ entry, size }) => [
    entry.name,
    `${size} B`,
    `${entry.bar} B`,
    `${entry.reach} B`,
    size > entry.bar ? 'TOO LARGE' : size > entry.reach ? 'within the bar' : 'within reach',
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
if (measured.some(({ entry, size, strangers }) => size > entry.bar || strangers.length > 0)) process.exitCode = 1;
