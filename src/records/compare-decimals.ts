/** Numbers as strings of digits, compared without losing any. */

const DECIMAL = /^(-?)0*(\d*?)(?:\.(\d*?)0*)?$/;

interface Decimal {
  readonly negative: boolean;
  readonly whole: string;
  readonly fraction: string;
}

/** `undefined` for what is no plain decimal number: `NaN` and the infinities of Postgres are none. */
function readDecimal(text: string): Decimal | undefined {
  const match = text === '' ? null : DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = ''] = match;
  return { negative: sign !== '' && whole + fraction !== '', whole, fraction };
}

/**
 * Below, at or above zero as `a` is less than, equal to or greater than `b`; `undefined` when one of them is no plain decimal
 * number.
 */
export function compareDecimals(a: string, b: string): number | undefined {
  const left = readDecimal(a);
  const right = readDecimal(b);
  if (left === undefined || right === undefined) return undefined;
  if (left.negative !== right.negative) return left.negative ? -1 : 1;
  const size =
    left.whole.length - right.whole.length || order(left.whole, right.whole) || order(left.fraction, right.fraction);
  return left.negative ? -size : size;
}

/** One text for all texts of a number; any other text is itself. */
export function normalDecimal(text: string): string {
  const decimal = readDecimal(text);
  return decimal === undefined ? text : `${decimal.negative ? '-' : ''}${decimal.whole || '0'}.${decimal.fraction}`;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
