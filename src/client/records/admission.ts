/**
 * Whether a record that only this client knows, or that it has changed, would be among those of a filtered query. The server decides that;
 * until it has, this is a guess by the client's own means: a record is left out only where a filter says no to a field that it has.
 */
import type { Row } from '../mutation.ts';
import { isSame } from './json.ts';
import { comparePlaces, placeOf, rankOf } from './row-order.ts';

/** @param filters of records: `<field>=<op>.<value>` (protocol section 2.3); one that cannot be read here says no to nothing */
export function admission(filters: readonly string[]): (row: Row, base?: Row) => boolean {
  return (row, base) =>
    filters.every((filter) => {
      const [, field = '', operator = '', text = ''] = /^(.+?)=(\w+)\.(.*)$/s.exec(filter) ?? [];
      const value = row[field];
      // Of fields that are as the server told them, it has said yes.
      if (value === undefined || (base && isSame(value, base[field]))) return true;
      const sign = compare(value, text);
      const verdicts: { readonly [operator: string]: boolean } = {
        eq: sign === 0,
        neq: value !== null && sign !== 0,
        gt: sign > 0,
        gte: sign >= 0,
        lt: sign < 0,
        lte: sign <= 0,
        is: text === 'not_null' ? value !== null : text === JSON.stringify(value),
        in: text.includes('"') || text.split(/[(),]/).some((each) => compare(value, each) === 0),
      };
      return verdicts[operator] ?? true;
    });
}

/** NaN, which is neither less nor equal nor greater, where they cannot be compared. */
function compare(value: unknown, text: string): number {
  const [left, right] = [placeOf(typeof value === 'boolean' ? `${value}` : value), placeOf(text)];
  return rankOf(left) === rankOf(right) ? comparePlaces(left, right) : Number.NaN;
}
