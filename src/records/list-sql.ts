/**
 * Filters, order and place of a list as SQL. Names come from the definition and are quoted; values are always bound, and cast by
 * Postgres to the column's own type.
 *
 * A filter means the same as `compileFilters` does on the record in wire form: null satisfies nothing but `is.null`, and text is
 * compared by code point. Two things differ, and on purpose: times, big numbers and the like are compared as what they are, not as
 * the text that carries them; and a value that does not fit its column is refused, since it can only be a mistake.
 */
import { type Filter, MAX_FILTERS, parseFilter } from '../protocol/filter.ts';
import type { ProblemIssue } from '../protocol/problem.ts';
import type { Parameter } from '../store/postgres/database.ts';
import { type Collection, quoteName } from './collection.ts';
import { refuse } from './outcome.ts';
import type { Place } from './page-token.ts';
import type { ColumnFacts, TableFacts } from './table-facts.ts';

/** One column that rows are ordered by. */
export interface OrderTerm {
  readonly property: string;
  readonly column: string;
  readonly descending: boolean;
}

/** The most fields of an `order`. */
const MAX_ORDER = 8;

/** Values on their way into a statement. */
export class Bindings {
  readonly values: Parameter[] = [];

  /** @returns the placeholder. Always text: the drivers would otherwise guess a form of their own from the column's type. */
  bind(value: string): string {
    return `$${this.values.push(value)}::text`;
  }

  bindNumber(value: number): string {
    return `$${this.values.push(value)}::int`;
  }

  bindAll(values: readonly string[]): string {
    return `$${this.values.push(values)}::text[]`;
  }
}

/** Reads filters. @throws Refused `invalid-filter`, naming each that is none or whose field cannot be filtered by */
export function readFilters(collection: Collection, texts: readonly string[]): readonly Filter[] {
  if (texts.length > MAX_FILTERS) throw invalidFilter([{ path: 'filter', message: `at most ${MAX_FILTERS} filters` }]);
  const issues: ProblemIssue[] = [];
  const filters: Filter[] = [];
  for (const text of texts) {
    const filter = parseFilter(text);
    if (filter === undefined) issues.push({ path: 'filter', message: 'a filter is <field>=<op>.<value>' });
    else if (!collection.filterable.has(filter.path.join('.')))
      issues.push({ path: 'filter', message: 'the field does not exist or cannot be filtered by' });
    else filters.push(filter);
  }
  if (issues.length > 0) throw invalidFilter(issues);
  return filters;
}

function invalidFilter(issues: readonly ProblemIssue[]) {
  return refuse('invalid-filter', undefined, issues);
}

/**
 * Reads `field.asc,other.desc`. The key is added where it is not there yet, so that no two rows share a place.
 * @throws Refused `invalid`
 */
export function readOrder(collection: Collection, text: string | undefined): readonly OrderTerm[] {
  const invalid = (message: string) => refuse('invalid', undefined, [{ path: 'order', message }]);
  const keys = collection.key.map(({ property }) => property);
  const terms: OrderTerm[] = [];
  const add = (property: string, descending: boolean) => {
    const column = collection.byProperty.get(property);
    if (column === undefined) throw invalid('no such field');
    terms.push({ property, column: column.column, descending });
  };
  for (const part of text === undefined ? [] : text.split(',')) {
    const dot = part.lastIndexOf('.');
    const [property, direction] = dot === -1 ? [part, 'asc'] : [part.slice(0, dot), part.slice(dot + 1)];
    if (direction !== 'asc' && direction !== 'desc') throw invalid('a direction is asc or desc');
    if (!collection.filterable.has(property) && !keys.includes(property))
      throw invalid('the field does not exist or cannot be ordered by');
    if (terms.some((term) => term.property === property)) throw invalid('a field stands there twice');
    if (terms.length === MAX_ORDER) throw invalid(`at most ${MAX_ORDER} fields`);
    add(property, direction === 'desc');
  }
  for (const property of keys) if (!terms.some((term) => term.property === property)) add(property, false);
  return terms;
}

/** The condition of one filter on the row `t`. Its values have been found to fit. */
export function filterSql(
  collection: Collection,
  facts: TableFacts,
  { path, operator, values }: Filter,
  bindings: Bindings,
): string {
  const property = path.join('.');
  const column = collection.byProperty.get(property);
  const fact = column && facts.columns.get(column.column);
  if (column === undefined || fact === undefined) throw invalidFilter([{ path: 'filter', message: 'no such field' }]);
  const field = `t.${quoteName(column.column)}`;
  if (operator === 'is') return isSql(field, fact, values[0] ?? '');
  const bound = (value: string) => `${bindings.bind(value)}::${fact.cast}`;
  const [first = ''] = values;
  switch (operator) {
    case 'eq':
      return `${field} = ${bound(first)}`;
    case 'neq':
      return `${field} <> ${bound(first)}`;
    case 'in':
      return `${field} = ANY (${bindings.bindAll(values)}::${fact.cast}[])`;
    default: {
      const sign = COMPARISONS[operator];
      if (!isText(fact)) return `${field} ${sign} ${bound(first)}`;
      return `${field}::text COLLATE "C" ${sign} ${bound(first)}::text COLLATE "C"`;
    }
  }
}

const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

export function misfit(property: string) {
  return invalidFilter([{ path: 'filter', message: `the value does not fit ${property}` }]);
}

function isSql(field: string, { category }: ColumnFacts, value: string): string {
  if (value === 'null') return `${field} IS NULL`;
  if (value === 'not_null') return `${field} IS NOT NULL`;
  return category === 'B' ? `${field} IS ${value === 'true' ? 'TRUE' : 'FALSE'}` : 'FALSE';
}

function isText({ category, isEnum }: ColumnFacts): boolean {
  return category === 'S' || isEnum;
}

/** `ORDER BY`, nulls where Postgres puts them: last when ascending, first when descending. */
export function orderSql(terms: readonly OrderTerm[]): string {
  return terms.map(({ column, descending }) => `t.${quoteName(column)} ${descending ? 'DESC' : 'ASC'}`).join(', ');
}

/** The values of a row's place, as JSON text of an array of texts. */
export function placeSql(terms: readonly OrderTerm[]): string {
  return `to_json(ARRAY[${terms.map(({ column }) => `t.${quoteName(column)}::text`).join(', ')}])::text`;
}

/** The condition that a row comes after a place. */
export function afterSql(terms: readonly OrderTerm[], facts: TableFacts, place: Place, bindings: Bindings): string {
  const parts = terms.map(({ column, descending }, index) => {
    const fact = facts.columns.get(column);
    const value = place[index];
    return {
      field: `t.${quoteName(column)}`,
      value: value == null ? undefined : `${bindings.bind(value)}::${fact?.cast}`,
      descending,
      notNull: fact?.notNull === true,
    };
  });
  const descending = parts[0]?.descending;
  if (parts.every((part) => part.notNull && part.value !== undefined && part.descending === descending)) {
    // One comparison of rows, which an index on these columns answers.
    const fields = parts.map(({ field }) => field).join(', ');
    return `(${fields}) ${descending ? '<' : '>'} (${parts.map(({ value }) => value).join(', ')})`;
  }
  const alternatives = parts.map((part, index) => {
    const same = parts.slice(0, index).map(({ field, value }) => `${field} IS NOT DISTINCT FROM ${value ?? 'NULL'}`);
    return `(${[...same, laterSql(part)].join(' AND ')})`;
  });
  return `(${alternatives.join(' OR ')})`;
}

function laterSql(part: {
  readonly field: string;
  readonly value: string | undefined;
  readonly descending: boolean;
}): string {
  const { field, value, descending } = part;
  if (value === undefined) return descending ? `${field} IS NOT NULL` : 'FALSE';
  return descending ? `${field} < ${value}` : `(${field} > ${value} OR ${field} IS NULL)`;
}
