/**
 * Whether a record that only this client knows, or that it has changed, would be among those of a filtered query. The server decides that;
 * until it has, this is a guess by the client's own means: a record is left out only where a filter says no to a field that it has.
 */
import { compileFilters, parseFilter } from '../../protocol/filter.ts';
import type { Row } from '../mutation.ts';
import { isSame } from './json.ts';
import { comparePlaces, placeOf } from './row-order.ts';

/** @param filters of records: `<field>=<op>.<value>` (protocol section 2.3) */
export function admission(filters: readonly string[]): (row: Row, base: Row | undefined) => boolean {
  const tests = filters.flatMap((text) => {
    const filter = parseFilter(text);
    // One that cannot be read is the server's to refuse.
    return filter === undefined
      ? []
      : [
          {
            field: filter.path.join('.'),
            test: compileFilters([{ ...filter, path: ['value'] }], () => compareWithText),
          },
        ];
  });
  return (row, base) =>
    tests.every(({ field, test }) => {
      const value = row[field];
      // Of fields that are as the server told them, it has said yes.
      return value === undefined || (base !== undefined && isSame(value, base[field])) || test({ value });
    });
}

function compareWithText(value: unknown, text: string): number | undefined {
  if (typeof value === 'boolean') return value === (text === 'true') ? 0 : value ? 1 : -1;
  const [left, right] = [placeOf(value), placeOf(text)];
  return left.rank === right.rank ? comparePlaces(left, right) : undefined;
}
