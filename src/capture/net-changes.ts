/**
 * What a transaction did to each row, as far as anybody else could see: only its outcome. A row that it inserted and deleted again was
 * never there, and what it held in between was nobody's to know.
 */
import { type ChainLink, inChainOrder } from './chain-order.ts';
import type { Change } from './change.ts';

/** What became of one row. */
interface Net {
  readonly old: string | null;
  /** The newest change of it, whose actor and mutation stand for all. */
  last: Change;
  /** Whether it was deleted, and another row came under its key: then it is no longer the same, and its versions begin anew. */
  isAnother: boolean;
}

/**
 * Brings the changes of one transaction to one table together, row by row.
 *
 * @param changes as they were noted. Where that is not the order in which they were made, they are put into it (see `chain-order.ts`)
 * @param keyOf the key of a row's image
 * @returns the rows that are gone from under their keys, then those that are there: each in the order of their last changes. A row
 *   whose key was changed is among both
 * @throws what `keyOf` throws
 */
export function netChanges(changes: readonly Change[], keyOf: (image: string) => string): readonly Change[] {
  if (changes.length < 2) return changes;
  const nets = netsOf(changes, keyOf) ?? netsOf(inOrderMade(changes, keyOf), keyOf, true) ?? [];
  // Keys may have gone round: none is taken before the row that had it is gone.
  return [...nets.flatMap((net) => goneOf(net, keyOf)), ...nets.flatMap((net) => thereOf(net, keyOf))];
}

/**
 * @param lenient takes the changes in this order, whatever they say
 * @returns `undefined` when a change does not begin at what the one before it led to
 */
function netsOf(
  changes: readonly Change[],
  keyOf: (image: string) => string,
  lenient = false,
): readonly Net[] | undefined {
  /** By the key that the row has now. */
  const byKey = new Map<string, Net>();
  const all = new Set<Net>();
  for (const change of changes) {
    const before = change.old === null ? undefined : keyOf(change.old);
    const after = change.new === null ? before : keyOf(change.new);
    const key = before ?? after ?? '';
    const known = byKey.get(key);
    if (known !== undefined && known.last.new !== change.old && !lenient) return undefined;
    const net: Net = known ?? { old: change.old, last: change, isAnother: false };
    net.isAnother ||= known !== undefined && change.old === null;
    net.last = change;
    // Those that changed last stand last.
    all.delete(net);
    all.add(net);
    if (after !== undefined && after !== key) byKey.delete(key);
    byKey.set(after ?? key, net);
  }
  return [...all];
}

/** The order in which changes were made. */
export function inOrderMade(changes: readonly Change[], keyOf: (image: string) => string): readonly Change[] {
  const state = (image: string | null) => (image === null ? undefined : { key: keyOf(image), state: image });
  const links = changes.map((change): ChainLink & { readonly change: Change } => ({
    before: state(change.old),
    after: state(change.new),
    change,
  }));
  return inChainOrder(links).map(({ change }) => change);
}

/** Whether the row was there before and is there after, under one key. */
function stays({ old, last, isAnother }: Net, keyOf: (image: string) => string): boolean {
  return !isAnother && old !== null && last.new !== null && keyOf(old) === keyOf(last.new);
}

function goneOf(net: Net, keyOf: (image: string) => string): readonly Change[] {
  const { old, last } = net;
  return old === null || old === last.new || stays(net, keyOf) ? [] : [{ ...last, operation: 'D', old, new: null }];
}

function thereOf(net: Net, keyOf: (image: string) => string): readonly Change[] {
  const { old, last } = net;
  if (last.new === null || last.new === old) return [];
  return stays(net, keyOf) ? [{ ...last, operation: 'U', old }] : [{ ...last, operation: 'I', old: null }];
}
