/** Durations and sizes as people write them: `12h`, `7d`, `64MiB`. */

const SECOND = 1000;
const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
  d: 86_400 * SECOND,
  w: 7 * 86_400 * SECOND,
};

const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/** Reads one number with one of the units `ms s m h d w`, in milliseconds; `undefined` if it is anything else. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATIONS);
}

/** Reads one number with one of the units `B kB MB GB TB KiB MiB GiB TiB` (none: bytes), in bytes; case does not matter. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text.toLowerCase(), SIZES);
}

/** Bytes in the largest binary unit that leaves a number of at least one: `1.5 MiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${unit === 'B' ? value : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

/** Bytes in the largest binary unit that divides them, as {@link parseSize} reads them: `256KiB`. */
export function exactSize(bytes: number): string {
  let value = bytes;
  let name = 'B';
  for (const larger of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (value === 0 || value % 1024 !== 0) break;
    value /= 1024;
    name = larger;
  }
  return `${value}${name}`;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([a-z]*)$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = '', name = ''] = match;
  const unit = Object.hasOwn(units, name) ? units[name] : undefined;
  if (unit === undefined) return undefined;
  const value = Math.round(Number(digits) * unit);
  return Number.isSafeInteger(value) ? value : undefined;
}
