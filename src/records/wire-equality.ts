/** Whether two values of a column mean the same, although a client may write them in another way than Postgres does. */
import { canonicalJson, rawNumber } from './canonical-json.ts';
import type { ColumnType } from './columns.ts';
import { canonicalDecimal } from './decimal.ts';

/** Whether two values in wire form are equal as values of this column: `1.5` and `"1.50"`, `…Z` and `…+00:00`. */
export function isSameValue(column: ColumnType, a: unknown, b: unknown): boolean {
  return a === b || meaning(column, a) === meaning(column, b);
}

/** One text for each value of a column. */
export function meaning(column: ColumnType, value: unknown): string {
  if (value === null || value === undefined) return 'null';
  switch (column.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
    case 'float4':
    case 'float8':
    case 'numeric':
      return canonicalDecimal(rawNumber(value) ?? String(value)) ?? String(value);
    case 'timestamptz':
      return typeof value === 'string' ? instant(value) : canonicalJson(value);
    case 'timestamp':
      return typeof value === 'string'
        ? instant(value.replace(/(?:Z|[+-]\d\d:?\d\d)$/i, '').concat('Z'))
        : canonicalJson(value);
    case 'uuid':
    case 'bytea':
      return String(value).toLowerCase();
    case 'array': {
      const { element } = column;
      if (element === undefined || !Array.isArray(value)) return canonicalJson(value);
      return JSON.stringify(value.map((each) => meaning(element, each)));
    }
    default:
      return canonicalJson(value);
  }
}

/** The milliseconds of the whole second, and the digits of the fraction: a `Date` would lose microseconds. */
function instant(text: string): string {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)$/i.exec(text);
  if (match === null) return text;
  const [, seconds = '', fraction = '', zone = ''] = match;
  const time = Date.parse(`${seconds}${zone}`);
  return Number.isNaN(time) ? text : `${time}.${fraction.replace(/0{1,9}$/, '')}`;
}
