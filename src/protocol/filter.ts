/**
 * Filters: `<field>=<op>.<value>` (protocol section 2). All filters of a subscription must hold.
 *
 * A field is a dotted path into an event's `data`. As in SQL, a field that is missing or null satisfies nothing but
 * `is.null`. Numbers compare as numbers, booleans as `true` and `false`, strings by code unit. What
 * cannot be compared (a text that is no number with a number, anything with an object or array) is unequal and neither
 * less nor greater: only `neq` holds.
 */

export const FILTER_OPERATORS = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'is'] as const;
export type FilterOperator = (typeof FILTER_OPERATORS)[number];

/** One condition. `values` holds one value, or for `in` one or more. */
export interface Filter {
  readonly path: readonly string[];
  readonly operator: FilterOperator;
  readonly values: readonly string[];
}

/** The most filters of one subscription, the longest one in characters, and the most values of an `in`. */
export const MAX_FILTERS = 16;
export const MAX_FILTER_LENGTH = 1024;
export const MAX_FILTER_VALUES = 100;

const IS_VALUES = new Set(['null', 'not_null', 'true', 'false']);

/** Reads one filter; `undefined` when it is malformed or beyond a limit. */
export function parseFilter(text: string): Filter | undefined {
  if (text.length > MAX_FILTER_LENGTH) return undefined;
  const equals = text.indexOf('=');
  const dot = text.indexOf('.', equals);
  if (equals <= 0 || dot === -1) return undefined;
  const path = text.slice(0, equals).split('.');
  const operator = FILTER_OPERATORS.find((name) => name === text.slice(equals + 1, dot));
  if (operator === undefined || path.some((name) => name === '')) return undefined;
  const value = text.slice(dot + 1);
  if (operator === 'is' && !IS_VALUES.has(value)) return undefined;
  const values = operator === 'in' ? parseList(value) : [value];
  return values === undefined ? undefined : { path, operator, values };
}

/** Writes a filter so that {@link parseFilter} reads it back. */
export function formatFilter(filter: Filter): string {
  const value = filter.operator === 'in' ? `(${filter.values.map(quote).join(',')})` : (filter.values[0] ?? '');
  return `${filter.path.join('.')}=${filter.operator}.${value}`;
}

/** Below, at or above zero as `value` is less than, equal to or greater than the text; `undefined` if not comparable. */
export type Comparison = (value: unknown, text: string) => number | undefined;

/**
 * Compiles filters into one predicate over an event's `data`.
 * @param comparisonOf how the values at a path are compared, where that is known better than from the values
 */
export function compileFilters(
  filters: readonly Filter[],
  comparisonOf: (path: readonly string[]) => Comparison = () => compareValues,
): (data: unknown) => boolean {
  const tests = filters.map((filter) => ({ path: filter.path, test: compileTest(filter, comparisonOf(filter.path)) }));
  return (data) => tests.every(({ path, test }) => test(valueAt(data, path)));
}

/** The value at a path, own members only, or `undefined`. */
export function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function compileTest({ operator, values }: Filter, compare: Comparison): (value: unknown) => boolean {
  const [first = ''] = values;
  switch (operator) {
    case 'eq':
      return (value) => compare(value, first) === 0;
    case 'neq':
      return (value) => value !== undefined && value !== null && compare(value, first) !== 0;
    case 'gt':
      return (value) => (compare(value, first) ?? 0) > 0;
    case 'gte':
      return (value) => (compare(value, first) ?? -1) >= 0;
    case 'lt':
      return (value) => (compare(value, first) ?? 0) < 0;
    case 'lte':
      return (value) => (compare(value, first) ?? 1) <= 0;
    case 'in': {
      const set = new Set(values);
      return (value) =>
        typeof value === 'string' && compare === compareValues
          ? set.has(value)
          : values.some((each) => compare(value, each) === 0);
    }
    case 'is':
      if (first === 'null') return (value) => value === undefined || value === null;
      if (first === 'not_null') return (value) => value !== undefined && value !== null;
      return (value) => value === (first === 'true');
  }
}

/** Compares by the type of the value. */
export function compareValues(value: unknown, text: string): number | undefined {
  if (typeof value === 'string') return value < text ? -1 : value > text ? 1 : 0;
  if (typeof value === 'number') {
    const other = text.trim() === '' ? Number.NaN : Number(text);
    return Number.isNaN(other) ? undefined : value - other;
  }
  if (typeof value === 'boolean')
    return text === 'true' || text === 'false' ? Number(value) - Number(text === 'true') : undefined;
  return undefined;
}

/** Reads `(a,"b,c",d)`, the parentheses optional; within quotes `\"` and `\\` stand for themselves. */
function parseList(text: string): readonly string[] | undefined {
  const inner = text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text;
  const item = /"((?:[^"\\]|\\.)*)"(?=,|$)|([^",]*)(?=,|$)/y;
  const values: string[] = [];
  for (let index = 0; index <= inner.length; index = item.lastIndex + 1) {
    item.lastIndex = index;
    const match = item.exec(inner);
    if (match === null) return undefined;
    values.push(match[1]?.replace(/\\(.)/g, '$1') ?? match[2] ?? '');
    if (values.length > MAX_FILTER_VALUES) return undefined;
  }
  return values;
}

function quote(value: string): string {
  return /^[^",()\\]*$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}
