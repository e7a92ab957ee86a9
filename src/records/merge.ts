/**
 * The three-way merge of a record by top-level field (protocol section 6), pure.
 *
 * A field that only the client changed is the client's, and one that only somebody else changed stays. What both changed in the
 * same way is no conflict, though of a counter each addition counts. What both changed differently is decided by the field's
 * policy, or is a conflict.
 */
import type { Collection, MergePolicy } from './collection.ts';
import type { CollectionColumn } from './columns.ts';
import { addDifference } from './decimal.ts';
import { mergePatch } from './merge-patch.ts';
import { isSameValue, meaning } from './wire-equality.ts';

type Values = Readonly<Record<string, unknown>>;

export interface MergeInput {
  /** The record that the client started from, in wire form. */
  readonly base: Values;
  /** The record as it is now, in wire form. */
  readonly current: Values;
  /** The client's merge patch against `base`, checked by the collection's `patch` schema. */
  readonly patch: Values;
}

export type MergeResult =
  | {
      readonly kind: 'merged';
      /** What to write: the fields whose value is another than the current one. It may be empty. */
      readonly values: Values;
      /** Whether both sides had changed something. */
      readonly merged: boolean;
    }
  | {
      readonly kind: 'conflict';
      /** The properties that nobody could decide, in the order of the definition. */
      readonly fields: readonly string[];
    };

/**
 * Merges a patch into a record that has changed since.
 *
 * @throws TypeError when a merge function answers a value that the column cannot hold; what the function throws passes through
 */
export function mergeRecord(collection: Collection, { base, current, patch }: MergeInput): MergeResult {
  const values: [string, unknown][] = [];
  const fields: string[] = [];
  let mineChanged = false;
  let theirsChanged = false;
  for (const column of collection.columns) {
    const { property } = column;
    const from = own(base, property);
    const now = own(current, property);
    // The version differs whenever anything else does, and says nothing of its own.
    const theirs = column !== collection.version && !isSameValue(column, from, now);
    theirsChanged ||= theirs;
    if (!Object.hasOwn(patch, property)) continue;
    const mine = column.kind === 'json' ? mergePatch(from, patch[property]) : patch[property];
    if (isSameValue(column, from, mine)) continue;
    mineChanged = true;
    if (!theirs) {
      values.push([property, mine]);
      continue;
    }
    // Two who added the same each added: equal edits of a counter are two edits.
    const equal = isSameValue(column, now, mine);
    if (equal && collection.merge.get(property) !== 'add') continue;
    const decided = decide(collection, column, { base: from, current: now, mine });
    if (decided === CONFLICT) {
      if (!equal) fields.push(property);
    } else if (!isSameValue(column, now, decided)) values.push([property, decided]);
  }
  if (fields.length > 0) return { kind: 'conflict', fields };
  return { kind: 'merged', values: Object.fromEntries(values), merged: mineChanged && theirsChanged };
}

/**
 * Merges a patch where the client may not know the record that it says it started from. Of that nothing but this shows: which fields of
 * the patch others have changed since. Those are decided by policies that need no base (`client`, `server`), or are a conflict.
 */
export function mergeUnseen(collection: Collection, { base, current, patch }: MergeInput): MergeResult {
  const isChanged = (column: CollectionColumn) =>
    Object.hasOwn(patch, column.property) &&
    !isSameValue(column, own(base, column.property), own(current, column.property));
  const changed = collection.columns.filter(isChanged);
  const names = new Set(changed.map(({ property }) => property));
  const rest = Object.fromEntries(Object.entries(patch).filter(([property]) => !names.has(property)));
  const merged = mergeRecord(collection, { base: current, current, patch: rest });
  if (merged.kind === 'conflict') return merged;
  const values: Record<string, unknown> = { ...merged.values };
  const fields: string[] = [];
  for (const column of changed) {
    const { property, kind } = column;
    const now = own(current, property);
    const mine = kind === 'json' ? mergePatch(now, patch[property]) : patch[property];
    const policy = collection.merge.get(property) ?? 'reject';
    if (policy === 'server' || isSameValue(column, now, mine)) continue;
    if (policy === 'client') values[property] = mine;
    else fields.push(property);
  }
  if (fields.length > 0) return { kind: 'conflict', fields };
  return { kind: 'merged', values, merged: Object.keys(values).length > 0 };
}

const CONFLICT = Symbol('conflict');

interface Sides {
  readonly base: unknown;
  readonly current: unknown;
  readonly mine: unknown;
}

function decide(collection: Collection, column: CollectionColumn, sides: Sides): unknown {
  const policy: MergePolicy = collection.merge.get(column.property) ?? 'reject';
  switch (policy) {
    case 'reject':
      return CONFLICT;
    case 'client':
      return sides.mine;
    case 'server':
      return sides.current;
    case 'add':
      return add(column, sides);
    case 'union':
      return union(column, sides);
    default: {
      const value = policy(sides);
      if (collection.schemas.patch.safeParse({ [column.property]: value }).success) return value;
      throw new TypeError(
        `collection ${collection.name}: merge of ${column.property} answered a value that is not valid`,
      );
    }
  }
}

const INTEGER_BITS: Readonly<Record<string, number>> = { int2: 16, int4: 32, int8: 64 };

/** Nulls cannot be added, and neither can what is no finite number; a sum that the type cannot hold is a conflict too. */
function add({ kind, quoted }: CollectionColumn, { base, current, mine }: Sides): unknown {
  if (base === null || current === null || mine === null) return CONFLICT;
  const sum = addDifference(digits(base), digits(current), digits(mine));
  if (sum === undefined) return CONFLICT;
  const bits = INTEGER_BITS[kind];
  if (bits !== undefined && BigInt.asIntN(bits, BigInt(sum)) !== BigInt(sum)) return CONFLICT;
  if (quoted) return sum;
  const number = Number(sum);
  if (bits !== undefined && !Number.isSafeInteger(number)) return CONFLICT;
  return Number.isFinite(number) ? number : CONFLICT;
}

/** A number that the parser kept as its text has that text in JSON. */
function digits(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** What is there, without what the client removed, and with what the client added, each element once. */
function union(column: CollectionColumn, { base, current, mine }: Sides): unknown {
  const from = base === null || base === undefined ? [] : base;
  if (!Array.isArray(from) || !Array.isArray(current) || !Array.isArray(mine)) return CONFLICT;
  const text = (element: unknown): string => meaning(column.element ?? column, element);
  const wanted = new Set(mine.map(text));
  const before = new Set(from.map(text));
  const kept = current.filter((element) => wanted.has(text(element)) || !before.has(text(element)));
  const there = new Set(kept.map(text));
  const added = mine.filter((element) => {
    const each = text(element);
    if (before.has(each) || there.has(each)) return false;
    there.add(each);
    return true;
  });
  return [...kept, ...added];
}

function own(values: Values, property: string): unknown {
  return Object.hasOwn(values, property) ? values[property] : null;
}
