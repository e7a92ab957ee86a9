/**
 * The local copy of what one query sees of a collection, pure: the records as the server told them, the **base**, and over them the
 * client's own writes until the base shows them.
 *
 * What it promises: a record that was shown does not become an older one again, except where a write was refused or discarded. For that an
 * answered write lies over the base until the base has it: by the event that it caused, by a version that is no older than its answer's, or
 * by a list that was asked for after the answer.
 *
 * Rows are sorted when they are looked at: thousands of changes between two looks cost one sorting. A query may have more rows than are
 * kept. What is known then ends at a **horizon**: of rows beyond it nothing is known, so none shows.
 */
import type { Event } from '../../protocol/event.ts';
import { type Mutation, mutationKey, mutationOf, type Row } from '../mutation.ts';
import { admission } from './admission.ts';
import { isRow, isSame } from './json.ts';
import { type Overlaid, overlay, type RecordWrite } from './overlay.ts';
import { keyOfRow, type RecordFields, temporaryKey } from './record-key.ts';
import { type FieldOrders, type Place, rowOrder } from './row-order.ts';

export interface RecordSetOptions extends RecordFields {
  readonly collection: string;
  readonly filters: readonly string[];
  readonly order?: string | undefined;
  readonly fields?: FieldOrders | undefined;
  /** How many rows are shown. */
  readonly limit: number;
  /** How many rows are kept, so that those that leave have successors. */
  readonly room: number;
}

/** What the events of a collection tell of a record (protocol section 6.6). */
export interface RecordChange {
  /** The record after the change; absent when it is gone. */
  readonly new?: Row;
  readonly version: number;
  /** Fields that it lacks, because they are large. */
  readonly omitted?: readonly string[];
  readonly changed?: readonly string[];
}

export interface RecordSet {
  /** What is shown, in order: the same array while nothing changes, and in it the same object for a row that does not. */
  rows(): readonly Row[];
  /** Whether the query has more rows than are shown, of the last look at {@link rows}. If those are fewer than `limit`, a list must be read. */
  readonly more: boolean;
  /** The writes of a record that the base does not show, in order; those that were refused are among them until they are discarded. */
  pendingOf(key: string): readonly Mutation[];
  /** The version of a record as it is shown, but for writes without an answer; `undefined` when it is not there. */
  versionOf(key: string): number | undefined;
  /** The ids of answered writes that the base does not show yet. */
  unshown(): readonly string[];
  /**
   * Lets go of those answered writes that the stream has not shown in time, and of whose records nothing shows.
   * @returns whether there are others: the list must be read
   */
  expire(ids: readonly string[]): boolean;
  /** Takes an event of the stream. @returns false when it does not tell the record whole, and the list must be read */
  apply(event: Event<RecordChange>): boolean;
  /** Takes what happened to a write. */
  mutate(mutation: Mutation): void;
  /**
   * To be called when a list is asked for: whatever is answered by now is in it.
   * @returns takes the list in the place of all that was known; false, and nothing changes, when the rows lack the fields that name them
   */
  list(): (rows: readonly Row[], more: boolean) => boolean;
}

interface Base {
  readonly row: Row;
  readonly version: number;
}

interface Held extends Mutation, Overlaid {
  readonly write: RecordWrite;
  /** As the outbox told it. */
  readonly mutation: Mutation;
  readonly key: string;
  /** The base shows it, by this key; the outbox still has it. */
  shown?: string;
}

interface Slot {
  readonly key: string;
  readonly row: Row;
  readonly places: readonly Place[];
  /** Another one, or none, is in its place. */
  isOut: boolean;
}

/** Beyond `room`, so many rows may come before some are let go of. */
const SLACK = 1000;

/** @param onShown told each write that the base has come to show */
export function createRecordSet(
  options: RecordSetOptions,
  onShown: (mutation: Mutation) => void = () => {},
): RecordSet {
  const { collection, filters, limit, room } = options;
  const { placesOf, compare } = rowOrder(options.order, options.key, options.fields);
  const admits = admission(filters);
  const bases = new Map<string, Base>();
  /** By the id of their mutation. */
  const writes = new Map<string, Held>();
  /** Keys of records that may show otherwise than at the last look. */
  const dirty = new Set<string>();
  /** What shows of each record. */
  const slots = new Map<string, Slot>();
  /** The same in their order, as of the last look. */
  let sorted: Slot[] = [];
  let rows: readonly Row[] = [];
  let horizon: readonly Place[] | undefined;

  function writesOf(key: string): readonly Held[] {
    const own: Held[] = [];
    for (const write of writes.values()) if (write.key === key && write.shown === undefined) own.push(write);
    return own.sort((a, b) => a.order - b.order);
  }

  /** As it shows, if it does. */
  function view(key: string): Row | undefined {
    const base = bases.get(key)?.row;
    const over = writesOf(key);
    const row = over.length === 0 ? base : overlay(base, key, over, options);
    return row && row !== base && !admits(row, base) ? undefined : row;
  }

  /** The base shows a write, and so those that were answered before it was sent. */
  function show(write: Held): void {
    for (const each of writesOf(write.key)) {
      if (each !== write && (!each.answer || each.order > write.order)) continue;
      if (each.gone) writes.delete(each.id);
      else each.shown = mutationKey(each);
      dirty.add(each.key);
      onShown(each.mutation);
    }
  }

  /** Whether the base has an answered write. Of a replacement, versions do not tell: it may have made another record. */
  function isIn({ key, write: { kind }, answer }: Held): boolean {
    const base = bases.get(key);
    return (
      base !== undefined && (kind === 'create' || (kind === 'patch' && base.version >= (answer?.version ?? Infinity)))
    );
  }

  /** None is shown that came after one that is not. */
  function settle(key: string): void {
    for (const write of writesOf(key)) {
      if (!write.answer) continue;
      if (!isIn(write)) break;
      show(write);
    }
  }

  function setBase(key: string, base?: Base): void {
    dirty.add(key);
    if (base && !(horizon && compare(placesOf(base.row), horizon) > 0)) bases.set(key, base);
    else if (bases.delete(key)) {
      // The record was the one that is created here, or its creation will be refused.
      const first = writesOf(key).find(({ state }) => state !== 'dead');
      if (first?.write.kind === 'create') show(first);
    }
    settle(key);
  }

  const unshown = () => [...writes.values()].flatMap(({ id, answer, shown }) => (answer && !shown ? id : []));

  return {
    rows() {
      let isChanged = false;
      for (const key of dirty) {
        const row = view(key);
        const before = slots.get(key);
        if (isSame(before?.row, row)) continue;
        isChanged = true;
        if (before) before.isOut = true;
        slots.delete(key);
        if (!row) continue;
        const slot = { key, row, places: placesOf(row), isOut: false };
        slots.set(key, slot);
        sorted.push(slot);
      }
      dirty.clear();
      if (!isChanged) return rows;
      sorted = sorted.filter(({ isOut }) => !isOut).sort((a, b) => compare(a.places, b.places));
      const shown = sorted.slice(0, limit).map(({ row }) => row);
      // What has changed may be beyond the limit.
      if (!(shown.length === rows.length && shown.every((row, index) => row === rows[index]))) rows = shown;
      if (sorted.length > room + SLACK) {
        horizon = sorted[room - 1]?.places;
        for (const { key } of sorted.slice(room)) setBase(key);
      }
      return rows;
    },
    get more() {
      return slots.size > limit || horizon !== undefined;
    },
    pendingOf: (key) => writesOf(key).map(({ mutation }) => mutation),
    versionOf: (key) =>
      writesOf(key).reduce((version, { answer }) => answer?.version ?? version, bases.get(key)?.version),
    unshown,
    expire: (ids) =>
      unshown().some((id) => {
        const write = ids.includes(id) && writes.get(id);
        if (!write || bases.has(write.key) || view(write.key)) return !!write;
        show(write);
        return false;
      }),
    apply({ key = '', data, mutation = '' }) {
      const { new: row, version, omitted = [], changed } = data;
      const base = bases.get(key);
      if (!row || omitted.length === 0) setBase(key, row && { row, version });
      else if (base && changed && !omitted.some((field) => changed.includes(field)))
        setBase(key, { row: { ...base.row, ...row }, version });
      else return false;
      const write = writes.get(mutationOf(mutation));
      if (write && mutationKey(write) === mutation) show(write);
      return true;
    },
    mutate(mutation) {
      const { id, write, answer, gone } = mutation;
      if (write.kind === 'publish' || write.collection !== collection) return;
      const known = writes.get(id);
      if (known) dirty.add(known.key);
      // What another tab has seen settle, this base may not have come to yet.
      if (gone && (!known || known.shown || gone === 'discarded' || !answer)) writes.delete(id);
      else if (known?.shown !== mutationKey(mutation)) {
        const named = isRow(answer?.body) ? keyOfRow(answer.body, options.key) : undefined;
        const key = write.key ?? named ?? temporaryKey(mutation);
        writes.set(id, { ...mutation, write, mutation, key });
        dirty.add(key);
        settle(key);
      }
    },
    list() {
      const answered = unshown();
      return (listed, more) => {
        const next = new Map<string, Base>();
        for (const row of listed) {
          const key = keyOfRow(row, options.key);
          // From 1; of a `bigint` column it may be a string of digits.
          const version = Number(row[options.version]);
          if (key === undefined || !version) return false;
          // A row that moved meanwhile is on two pages. The later one is right.
          next.set(key, { row, version });
        }
        horizon = undefined;
        for (const id of answered) {
          const write = writes.get(id);
          if (write) show(write);
        }
        for (const key of [...bases.keys(), ...next.keys()]) setBase(key, next.get(key));
        const last = listed.at(-1);
        if (more && last) horizon = placesOf(last);
        for (const { key } of writes.values()) settle(key);
        return true;
      };
    },
  };
}
