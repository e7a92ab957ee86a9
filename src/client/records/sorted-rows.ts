/**
 * The rows of a query in their order, as one immutable array, made anew only when it is looked at and something has changed: thousands of
 * changes between two looks cost one sorting of what changed, and one pass over the rest.
 *
 * A query may have more rows than are kept. What is known then ends at a **horizon**: of rows beyond it nothing is known, so none shows.
 */
import type { Row } from '../mutation.ts';
import type { Place, RowOrder } from './row-order.ts';

/** Something that shows a row, or none. */
export interface Slot {
  /** As it was at the last look; only {@link SortedRows} sets these. */
  shown: Row | undefined;
  places: readonly Place[];
}

/** What a slot shows from now on. */
export interface Change<S extends Slot> {
  readonly slot: S;
  readonly row: Row | undefined;
  /** Of a row without a key; see `RowOrder.placesOf`. */
  readonly newness: number | undefined;
}

export interface SortedRowsOptions {
  readonly order: RowOrder;
  /** How many rows are shown. */
  readonly limit: number;
  /** How many rows are kept, so that those that leave have successors. */
  readonly room: number;
}

/** Beyond `room`, so many rows may come before some are let go of. */
const SLACK = 1000;

export class SortedRows<S extends Slot> {
  readonly #options: SortedRowsOptions;
  #slots: readonly S[] = [];
  #rows: readonly Row[] = [];
  #horizon: readonly Place[] | undefined;

  constructor(options: SortedRowsOptions) {
    this.#options = options;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Whether there are more rows than are shown. */
  get more(): boolean {
    return this.#horizon !== undefined || this.#slots.length > this.#options.limit;
  }

  /** Whether fewer rows are known than are to be shown, though there are more. */
  get isShort(): boolean {
    return this.#horizon !== undefined && this.#rows.length < this.#options.limit;
  }

  /** @param last the last row that is known; `undefined` when all are */
  endAt(last: Row | undefined): void {
    this.#horizon = last && this.#options.order.placesOf(last);
  }

  isBeyond(row: Row): boolean {
    const { order } = this.#options;
    return this.#horizon !== undefined && order.compare(order.placesOf(row), this.#horizon) > 0;
  }

  /** @returns those that there is no room for any more: nothing is known beyond the others from now on */
  update(changes: Iterable<Change<S>>): readonly S[] {
    const { order, limit, room } = this.#options;
    const leaving = new Set<S>();
    const coming: S[] = [];
    let changed = false;
    for (const { slot, row, newness } of changes) {
      if (row === slot.shown) continue;
      changed = true;
      const places = row ? order.placesOf(row, newness) : [];
      if (!row || !slot.shown || order.compare(places, slot.places) !== 0) {
        if (slot.shown) leaving.add(slot);
        if (row) coming.push(slot);
      }
      slot.shown = row;
      slot.places = places;
    }
    if (leaving.size + coming.length > 0) this.#slots = this.#merge(leaving, coming);
    if (changed) {
      const rows = this.#slots.slice(0, limit).map(({ shown = {} }) => shown);
      // What changes beyond the limit changes nothing that is shown.
      if (rows.length !== this.#rows.length || rows.some((row, index) => row !== this.#rows[index])) this.#rows = rows;
    }
    if (this.#slots.length <= room + SLACK) return [];
    this.#horizon = this.#slots[room - 1]?.places;
    return this.#slots.slice(room);
  }

  #merge(leaving: ReadonlySet<S>, coming: S[]): readonly S[] {
    const compare = (a: S, b: S) => this.#options.order.compare(a.places, b.places);
    coming.sort(compare);
    const merged: S[] = [];
    let next = 0;
    for (const slot of this.#slots) {
      if (leaving.has(slot)) continue;
      for (let first = coming[next]; first && compare(first, slot) < 0; first = coming[next]) {
        merged.push(first);
        next += 1;
      }
      merged.push(slot);
    }
    return [...merged, ...coming.slice(next)];
  }
}
