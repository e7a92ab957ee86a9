/** The zod schema of one column's value in wire form: as it is written by clients, and as it is read. Neither allows null. */
import { z } from 'zod';
import { rawNumber } from './canonical-json.ts';
import type { ColumnType } from './columns.ts';
import { canonicalDecimal, plainDigits } from './decimal.ts';

/**
 * What a client may write into a column. What passes is in wire form.
 *
 * @param made what drizzle-zod makes of the column; used where JSON carries the type as drizzle reads it
 */
export function inputField(column: ColumnType, made: z.ZodType): z.ZodType {
  switch (column.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
      return column.quoted ? integerText(INT8_MIN, INT8_MAX) : anyNumber(integer(column.kind));
    case 'float4':
    case 'float8':
      return z.union([
        anyNumber(column.kind === 'float4' ? z.number().min(-MAX_FLOAT4).max(MAX_FLOAT4) : z.number()),
        noNumber,
      ]);
    case 'numeric':
      if (column.drizzle.dataType === 'bigint') return integerText();
      return z.union([column.quoted ? decimalText : anyNumber(z.number()), noNumber]);
    case 'json':
    case 'geometry':
      return jsonValue;
    case 'vector':
      return vectorText(column);
    case 'array':
      return arrayOf(column, inputField);
    case 'other':
      return isCustom(column) ? jsonValue : storable(made);
    case 'uuid':
      // Postgres takes any 128 bits, and writes them in small letters.
      return z.guid().toLowerCase();
    default:
      return textual(column, made);
  }
}

/** What a column's value is when it is read. It is no stricter than the database: what is there is there. */
export function outputField(column: ColumnType, made: z.ZodType): z.ZodType {
  switch (column.kind) {
    case 'int2':
    case 'int4':
      return integer(column.kind);
    case 'int8':
      return column.quoted ? z.string().regex(/^-?\d+$/) : z.number();
    case 'numeric':
      return column.quoted ? z.string().regex(/^(?:-?\d+(?:\.\d+)?|NaN|-?Infinity)$/) : z.union([z.number(), noNumber]);
    case 'float4':
    case 'float8':
      return z.union([z.number(), noNumber]);
    case 'json':
    case 'geometry':
      return z.unknown();
    case 'vector':
      return z.string();
    case 'array':
      return arrayOf(column, outputField);
    case 'other':
      return isCustom(column) ? z.unknown() : made;
    case 'uuid':
      return z.guid();
    case 'text':
      return isEnumerated(column) ? made : z.string();
    default:
      return textual(column, made);
  }
}

/** What Postgres's numbers can be besides numbers. */
const noNumber = z.enum(['NaN', 'Infinity', '-Infinity']);

const INT8_MAX = 0x7fffffffffffffffn;
const INT8_MIN = -INT8_MAX - 1n;
const MAX_FLOAT4 = 3.4028234663852886e38;

/** NUL and lone surrogates: valid in JSON, but no text of Postgres can hold them. */
const UNSTORABLE = /[\0\p{Cs}]/u;

function storable(schema: z.ZodType): z.ZodType {
  return schema.refine(
    (value) => typeof value !== 'string' || !UNSTORABLE.test(value),
    'the characters U+0000 and lone surrogates cannot be stored',
  );
}

/** An integer as JSON carries it, within its type; of `int8` only what a double holds, which `z.int()` sees to. */
function integer(kind: 'int2' | 'int4' | 'int8'): z.ZodType {
  if (kind === 'int8') return z.int();
  const max = kind === 'int2' ? 0x7fff : 0x7fffffff;
  return z
    .int()
    .min(-max - 1)
    .max(max);
}

/** Takes also a number that the parser kept as its text because a double would change it. */
function anyNumber(schema: z.ZodType): z.ZodType {
  return z.preprocess((value) => {
    const raw = rawNumber(value);
    return raw === undefined ? value : Number(raw);
  }, schema);
}

/** An integer as a string of digits; it may come as a number. Without bounds, as long as `numeric` can be. */
function integerText(min?: bigint, max?: bigint): z.ZodType {
  const isWithin = (text: string) =>
    min === undefined || max === undefined || (BigInt(text) >= min && BigInt(text) <= max);
  return z
    .preprocess(
      digitsOfNumber,
      z
        .string()
        .max(min === undefined ? 131_072 : 64, { abort: true })
        .regex(/^-?\d+$/, { error: 'expected an integer, as a string of its digits or as a number', abort: true })
        .refine(isWithin, 'out of range for bigint')
        .transform((text) => BigInt(text).toString()),
    )
    .meta({
      type: ['string', 'integer'],
      description: 'An integer as a string of its digits. It may be a number.',
    });
}

/** A number becomes its digits, as the parser has kept them; one with a fraction stays a number, and is refused. */
function digitsOfNumber(value: unknown): unknown {
  const text = rawNumber(value) ?? (typeof value === 'number' ? String(value) : undefined);
  const digits = text === undefined ? undefined : canonicalDecimal(text);
  return digits === undefined || digits.includes('.') ? value : digits;
}

const decimalText = z
  .preprocess(
    (value) => {
      const raw = rawNumber(value) ?? (typeof value === 'number' ? String(value) : undefined);
      return raw === undefined ? value : (plainDigits(raw) ?? value);
    },
    z
      .string()
      .max(147_456)
      .regex(/^-?(?:\d+\.?\d*|\.\d+)$/, 'expected a decimal number, as a string or as a number'),
  )
  .meta({ type: ['string', 'number'], description: 'A decimal number as a string of its digits. It may be a number.' });

const jsonValue = z
  .unknown()
  .refine((value) => value !== null && value !== undefined, 'a value is required')
  .refine(isStorable, 'the characters U+0000 and lone surrogates cannot be stored')
  .meta({ description: 'Any JSON value.' });

/** Looks at every text within a JSON value, names of members included, without recursion. */
function isStorable(root: unknown): boolean {
  const rest: unknown[] = [root];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value === 'string') {
      if (UNSTORABLE.test(value)) return false;
    } else if (Array.isArray(value)) {
      for (const element of value) rest.push(element);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) rest.push(name, member);
    }
  }
  return true;
}

function arrayOf(column: ColumnType, field: (element: ColumnType, made: z.ZodType) => z.ZodType): z.ZodType {
  if (column.element === undefined) return z.array(field === inputField ? jsonValue : z.unknown());
  // An array of Postgres may hold nulls, and has as many dimensions as a value happens to have.
  const element = z.nullable(field(column.element, z.string()));
  const inner: z.ZodType = z.lazy(() => z.array(z.union([element, inner])).min(1));
  return z.array(z.union([element, inner])).refine(isRectangular, 'not of the same length throughout');
}

/** Whether every dimension has one length, and there are no more than Postgres knows. */
function isRectangular(value: unknown): boolean {
  const shape: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0]) shape.push(at.length);
  const fits = (part: unknown, depth: number): boolean =>
    Array.isArray(part)
      ? part.length === shape[depth] && part.every((each) => fits(each, depth + 1))
      : depth === shape.length;
  return shape.length <= MAX_DIMENSIONS && fits(value, 0);
}

/** Of an array of Postgres (`MAXDIM`). */
const MAX_DIMENSIONS = 6;

function vectorText({ drizzle }: ColumnType): z.ZodType {
  const dimensions = 'dimensions' in drizzle && typeof drizzle.dimensions === 'number' ? drizzle.dimensions : undefined;
  if (drizzle.columnType !== 'PgVector' && drizzle.columnType !== 'PgHalfVector') return storable(z.string());
  const numbers = z.array(z.number()).refine((value) => dimensions === undefined || value.length === dimensions);
  return z.union([
    z.string().regex(/^\[[\d\s.,eE+-]*\]$/, 'expected a vector such as [1,2,3]'),
    numbers.transform((value) => JSON.stringify(value)),
  ]);
}

function isCustom({ drizzle }: ColumnType): boolean {
  return drizzle.columnType === 'PgCustomColumn';
}

function isEnumerated({ drizzle }: ColumnType): boolean {
  return (drizzle.enumValues?.length ?? 0) > 0;
}

/** Types that are strings on the wire, alike when they are written and when they are read. */
function textual(column: ColumnType, made: z.ZodType): z.ZodType {
  switch (column.kind) {
    case 'boolean':
      return z.boolean();
    case 'timestamptz':
      return timeText(z.iso.datetime({ offset: true }), 'date-time', 'a time such as 2024-01-31T12:00:00Z');
    case 'timestamp':
      // A `Z` says what drizzle means too: it reads and writes such columns in UTC.
      return timeText(z.iso.datetime({ local: true }), undefined, 'a time such as 2024-01-31T12:00:00');
    case 'date':
      return timeText(z.iso.date(), 'date', 'a date such as 2024-01-31');
    case 'bytea':
      return z
        .string()
        .regex(/^\\x(?:[0-9a-fA-F]{2})*$/, 'expected bytes in hex such as \\x00ff')
        .toLowerCase();
    case 'enum':
      return z.enum(column.drizzle.enumValues ?? []);
    case 'text':
      return isEnumerated(column) ? z.enum(column.drizzle.enumValues ?? []) : limitedText(column);
    case 'time':
    case 'interval':
    case 'shape':
      return storable(z.string());
    default:
      return storable(made);
  }
}

/** What Postgres can say and RFC 3339 cannot: without end, years of five digits, and before Christ. */
const RARE_TIME =
  /^(?:-?infinity|\d{5,6}-\d\d-\d\d(?:T[\d:.]+(?:[+-][\d:]+)?)?|\d{4,6}-\d\d-\d\d(?:T[\d:.]+(?:[+-][\d:]+)?)? BC)$/;

function timeText(iso: z.ZodType, format: string | undefined, what: string): z.ZodType {
  return z
    .string()
    .refine((text) => iso.safeParse(text).success || RARE_TIME.test(text), `expected ${what}`)
    .meta({ ...(format !== undefined && { format }), description: `In ISO 8601: ${what}.` });
}

/** Postgres counts characters, where JavaScript counts units of UTF-16. */
function limitedText({ drizzle }: ColumnType): z.ZodType {
  const length = 'length' in drizzle && typeof drizzle.length === 'number' ? drizzle.length : undefined;
  if (length === undefined) return storable(z.string());
  return storable(
    z
      .string()
      .refine((text) => text.length <= length || [...text].length <= length, `at most ${length} characters`)
      .meta({ maxLength: length }),
  );
}
