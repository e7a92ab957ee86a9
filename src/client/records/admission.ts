/**
 * Whether a record that only this client knows, or that it has changed, would be among those of a filtered query. The server decides that;
 * until it has, this is a guess by the client's own means: a record is left out only where a filter says no to a field that it has.
 */
import type { Row } from '../mutation.ts';
import { isSame } from './json.ts';
import { comparePlaces, placeOf } from './row-order.ts';

/** @param filters of records: `<field>=<op>.<value>` (protocol section 2.3); one that cannot be read here says no to nothing */
export function admission(filters: readonly string[]): (row: Row, base: Row | undefined) => boolean {
  const tests = filters.map((filter) => /^(.+?)=(\w+)\.(.*)$/s.exec(filter) ?? []);
  return (row, base) =>
    tests.every(([, field = '', operator = '', text = '']) => {
      const value = row[field];
      // Of fields that are as the server told them, it has said yes.
      if (value === undefined || (base !== undefined && isSame(value, base[field]))) return true;
      return holds(value, operator, text);
    });
}

function holds(value: unknown, operator: string, text: string): boolean {
  if (operator === 'is') return text === 'not_null' ? value !== null : String(value) === text;
  if (value === null) return false;
  switch (operator) {
    case 'eq':
      return compare(value, text) === 0;
    case 'neq':
      return compare(value, text) !== 0;
    case 'gt':
      return compare(value, text) > 0;
    case 'gte':
      return compare(value, text) >= 0;
    case 'lt':
      return compare(value, text) < 0;
    case 'lte':
      return compare(value, text) <= 0;
    case 'in':
      return (
        text.includes('"') ||
        text
          .replace(/^\(|\)$/g, '')
          .split(',')
          .some((each) => compare(value, each) === 0)
      );
    default:
      return true;
  }
}

/** NaN, which is neither less nor equal nor greater, where they cannot be compared. */
function compare(value: unknown, text: string): number {
  const [left, right] = [placeOf(typeof value === 'boolean' ? String(value) : value), placeOf(text)];
  return left.rank === right.rank ? comparePlaces(left, right) : Number.NaN;
}
