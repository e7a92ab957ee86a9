/**
 * What a transaction did to each row, as far as anybody else could see: only its outcome. A row that it inserted and deleted again was
 * never there, and what it held in between was nobody's to know.
 */
import type { Change } from './change.ts';

/** What became of one row. */
interface Net {
  readonly old: string | null;
  /** The newest change of it, whose actor and mutation stand for all. */
  last: Change;
}

/**
 * Brings the changes of one transaction to one table together, row by row.
 *
 * @param changes in the order in which they were made
 * @param keyOf the key of a row's image
 * @returns at most one change of each row, in the order of their last changes
 * @throws what `keyOf` throws
 */
export function netChanges(changes: readonly Change[], keyOf: (image: string) => string): readonly Change[] {
  if (changes.length < 2) return changes;
  /** By the key that the row has now. */
  const byKey = new Map<string, Net>();
  const all = new Set<Net>();
  for (const change of changes) {
    const before = change.old === null ? undefined : keyOf(change.old);
    const after = change.new === null ? before : keyOf(change.new);
    const key = before ?? after ?? '';
    const known = byKey.get(key);
    const net: Net = known ?? { old: change.old, last: change };
    net.last = change;
    // Those that changed last stand last.
    all.delete(net);
    all.add(net);
    if (after !== undefined && after !== key) byKey.delete(key);
    byKey.set(after ?? key, net);
  }
  return [...all].flatMap((net) => toChange(net) ?? []);
}

/** `undefined` when the row is as it was before, or was not there before or after. */
function toChange({ old, last }: Net): Change | undefined {
  if (old === null) return last.new === null ? undefined : { ...last, operation: 'I', old };
  if (last.new === null) return { ...last, operation: 'D', old };
  return old === last.new ? undefined : { ...last, operation: 'U', old };
}
