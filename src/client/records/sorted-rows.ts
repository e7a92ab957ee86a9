/**
 * The rows of a query in their order, as one immutable array, made anew only when it is looked at and something has changed: thousands of
 * changes between two looks cost one sorting of what changed, and one pass over the rest.
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

export class SortedRows<S extends Slot> {
  readonly #order: RowOrder;
  #slots: readonly S[] = [];

  constructor(order: RowOrder) {
    this.#order = order;
  }

  /** All that show a row, in order. */
  get slots(): readonly S[] {
    return this.#slots;
  }

  /** @returns whether anything is now other than it was */
  update(changes: Iterable<Change<S>>): boolean {
    const leaving = new Set<S>();
    const coming: S[] = [];
    let changed = false;
    for (const { slot, row, newness } of changes) {
      if (row === slot.shown) continue;
      changed = true;
      const places = row === undefined ? [] : this.#order.placesOf(row, newness);
      const stays = slot.shown !== undefined && row !== undefined && this.#order.compare(places, slot.places) === 0;
      if (slot.shown !== undefined && !stays) leaving.add(slot);
      if (row !== undefined && !stays) coming.push(slot);
      slot.shown = row;
      slot.places = places;
    }
    if (leaving.size > 0 || coming.length > 0) this.#slots = this.#merge(leaving, coming);
    return changed;
  }

  #merge(leaving: ReadonlySet<S>, coming: S[]): readonly S[] {
    const compare = (a: S, b: S) => this.#order.compare(a.places, b.places);
    coming.sort(compare);
    const merged: S[] = [];
    let next = 0;
    for (const slot of this.#slots) {
      if (leaving.has(slot)) continue;
      for (let first = coming[next]; first !== undefined && compare(first, slot) < 0; first = coming[next]) {
        merged.push(first);
        next += 1;
      }
      merged.push(slot);
    }
    return [...merged, ...coming.slice(next)];
  }
}
