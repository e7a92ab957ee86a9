/** Decimal numbers as text, exact whatever their length: what doubles would round. */

/** `digits` × 10^-`scale`. */
interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** Exponents beyond this are refused: a few characters must not become megabytes. `numeric` ends at 131072 digits. */
const MAX_EXPONENT = 16_383;

/** Longer texts are refused, since arithmetic on them takes quadratic time. */
const MAX_LENGTH = 40_000;

function parse(text: string): Decimal | undefined {
  const match = text.length > MAX_LENGTH ? null : /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,6}))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const shift = Number(exponent);
  if (whole + fraction === '' || Math.abs(shift) > MAX_EXPONENT) return undefined;
  const digits = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n);
  const scale = fraction.length - shift;
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

function format({ digits, scale }: Decimal): string {
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const whole = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`;
  return digits < 0n ? `-${whole}` : whole;
}

/** The number without an exponent: `1e3` is `1000`. `undefined` for what is no number, and beyond the bounds. */
export function plainDigits(text: string): string | undefined {
  const decimal = parse(text);
  return decimal && format(decimal);
}

/** One text for each number: `1.50` is `1.5`, and `-0` is `0`. `undefined` as for {@link plainDigits}. */
export function canonicalDecimal(text: string): string | undefined {
  const plain = plainDigits(text);
  if (plain === undefined || !plain.includes('.')) return plain;
  let end = plain.length;
  while (plain[end - 1] === '0') end -= 1;
  if (plain[end - 1] === '.') end -= 1;
  return plain.slice(0, end);
}

/**
 * `current + (mine - base)`, exact, with as many digits behind the point as the most precise of the three.
 *
 * @returns `undefined` when one of them is no number (`NaN`), or beyond the bounds
 */
export function addDifference(base: string, current: string, mine: string): string | undefined {
  const parsed = [parse(base), parse(current), parse(mine)];
  const scale = Math.max(...parsed.map((each) => each?.scale ?? 0));
  const [from, now, to] = parsed.map((each) => each && each.digits * 10n ** BigInt(scale - each.scale));
  if (from === undefined || now === undefined || to === undefined) return undefined;
  return format({ digits: now + (to - from), scale });
}
