/**
 * The local copy of what one query sees of a collection, pure: the records as the server told them, the **base**, and over them the
 * client's own writes until the base shows them.
 *
 * What it promises: a record that was shown does not become an older one again, except where a write was refused or discarded. For that an
 * acknowledged write lies over the base until the base has it: by the event that it caused, by a version that is no older than its
 * answer's, or by a list that was asked for after the answer.
 */
import { type Mutation, type MutationChange, mutationKey, mutationOf, type Row } from '../mutation.ts';
import { isRow, isSame } from './json.ts';
import { isAcknowledged, isIn, type Overlaid, overlay, shownBy } from './overlay.ts';
import { type RecordChange, wholeRow } from './record-change.ts';
import { isTemporaryKey, keyOfRow, type RecordFields, temporaryKey, versionOfRow } from './record-key.ts';
import { type Slot, SortedRows, type SortedRowsOptions } from './sorted-rows.ts';

export interface RecordSetOptions extends SortedRowsOptions {
  readonly fields: RecordFields;
  /** Whether a record that the server does not know, or not so, may be among those that are shown. */
  readonly admits?: (row: Row, base: Row | undefined) => boolean;
  /** Told each write that the base has come to show. */
  readonly onShown?: (mutation: Mutation) => void;
}

/** What a list said. */
export interface ListedRows {
  readonly rows: readonly Row[];
  /** How many of them are of the moment after which the stream begins, unless all are: the others may be of later ones. */
  readonly exact: number | undefined;
  /** Whether the query has more rows. */
  readonly more: boolean;
}

interface Entry extends Slot {
  readonly key: string;
  base: Row | undefined;
  /** Of the base; 0 without. */
  version: number;
  /** The base, or that there is none, is of a later moment than the stream has come to: older events are still to come. */
  ahead: boolean;
  /** What a write of the client's own has taken out of the query, for those over it, which may bring it back. */
  ghost: Row | undefined;
  writes: readonly Write[];
}

interface Write extends Overlaid {
  mutation: Mutation;
  readonly entry: Entry;
  floor: number;
  /** The outbox has let go of it: nothing more will be told of it. */
  gone: boolean;
}

export class RecordSet {
  readonly #options: RecordSetOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #writes = new Map<string, Write>();
  /** Keys of mutations that the base shows and the outbox still has: at most what that holds. */
  readonly #shown = new Set<string>();
  readonly #dirty = new Set<Entry>();
  readonly #sorted: SortedRows<Entry>;
  #writesChanged = 0;

  constructor(options: RecordSetOptions) {
    this.#options = options;
    this.#sorted = new SortedRows(options);
  }

  /** What is shown, in order: the same array while nothing changes, and in it the same object for a row that does not. */
  get rows(): readonly Row[] {
    const { fields, admits = () => true } = this.#options;
    const changes = [...this.#dirty].map((slot) => {
      const { key, base, ghost, writes, shown } = slot;
      const over = writes.length === 0 ? base : overlay(base ?? ghost, key, writes, fields);
      const row = !over || over === base || admits(over, base) ? over : undefined;
      const newness = isTemporaryKey(key) ? writes[0]?.mutation.order : undefined;
      return { slot, row: isSame(shown, row) ? shown : row, newness };
    });
    this.#dirty.clear();
    if (changes.length > 0) for (const entry of this.#sorted.update(changes)) this.#setBase(entry, undefined);
    for (const { slot } of changes)
      if (!slot.base && !slot.ahead && slot.writes.length === 0) this.#entries.delete(slot.key);
    return this.#sorted.rows;
  }

  /** Whether the query has more rows than are shown. Of the last look at {@link rows}, as is {@link isShort}. */
  get more(): boolean {
    return this.#sorted.more;
  }

  /** Whether fewer rows are known than are to be shown, though the server has more. */
  get isShort(): boolean {
    return this.#sorted.isShort;
  }

  /** The writes of a record that the base does not show, in order; those that were refused are among them until they are discarded. */
  pendingOf(key: string): readonly Mutation[] {
    return this.#entries.get(key)?.writes.map(({ mutation }) => mutation) ?? [];
  }

  /** Another number whenever {@link pendingOf} has changed, of whatever record. */
  get writesChanged(): number {
    return this.#writesChanged;
  }

  /** The version of a record as it is shown, but for writes that the server has not acknowledged; `undefined` when it is not there. */
  versionOf(key: string): number | undefined {
    const entry = this.#entries.get(key);
    const told = entry?.writes.findLast(({ mutation }) => isAcknowledged(mutation))?.mutation.answer?.version;
    return told ?? (entry?.version || undefined);
  }

  /** Takes an event of the stream. `incomplete`: the record must be read by its key, and given to {@link look}. */
  apply(change: RecordChange): 'applied' | 'incomplete' {
    const { key, version, kind, mutation } = change;
    const entry = this.#entries.get(key);
    const isOld = entry?.ahead && (entry.base ? version < entry.version : kind === 'update');
    if (!isOld && kind === 'delete') {
      if (entry) this.#takeAway(entry, version, false, mutation);
    } else if (!isOld) {
      const row = wholeRow(change, entry);
      if (row === undefined) return 'incomplete';
      this.#put(key, row, version, false);
    }
    const write = mutation === undefined ? undefined : this.#writes.get(mutationOf(mutation));
    if (write !== undefined && mutationKey(write.mutation) === mutation) this.#drop(write, true);
    return 'applied';
  }

  /** Takes what happened to a write of this collection. */
  mutate(change: MutationChange): void {
    const { mutation } = change;
    const write = this.#writes.get(mutation.id);
    if (change.kind === 'changed') {
      if (!this.#shown.has(mutationKey(mutation))) this.#place(mutation, write);
      return;
    }
    this.#shown.delete(mutationKey(mutation));
    if (write === undefined) return;
    write.gone = true;
    // Somebody has seen it settle; this base may not have come so far.
    if (change.why === 'discarded' || mutation.answer === undefined) this.#drop(write);
    else this.#place({ ...mutation, state: 'acknowledged' }, write);
  }

  /** The acknowledged writes that the base does not show yet: whatever is read from now on has them. */
  get unshown(): readonly Overlaid[] {
    return [...this.#writes.values()].filter(({ mutation }) => isAcknowledged(mutation));
  }

  /**
   * Takes a list in the place of all that was known, at once.
   * @param answered what {@link unshown} was when the list was asked for
   * @returns false, and changes nothing, when the rows lack the fields that name them
   */
  swap({ rows, exact, more }: ListedRows, answered: readonly Overlaid[]): boolean {
    const { fields } = this.#options;
    const listed = new Map<string, readonly [row: Row, version: number, ahead: boolean]>();
    for (const [index, row] of rows.entries()) {
      const key = keyOfRow(row, fields);
      const version = versionOfRow(row, fields);
      if (key === undefined || version === undefined) return false;
      // A row that moved meanwhile is on two pages. The later one is right.
      listed.set(key, [row, version, exact !== undefined && index >= exact]);
    }
    this.#sorted.endAt(more ? rows.at(-1) : undefined);
    for (const write of answered) this.#dropAnswered(write);
    for (const entry of this.#entries.values())
      if (!listed.has(entry.key)) this.#takeAway(entry, entry.version, exact !== undefined);
    for (const [key, [row, version, ahead]] of listed) this.#setBase(this.#entry(key), row, version, ahead);
    for (const { entry } of this.#writes.values()) this.#settle(entry);
    return true;
  }

  /**
   * Takes what was read of one record, or that it is not among those that the query sees.
   * @param answered what {@link unshown} was when it was asked for
   */
  look(key: string, row: Row | undefined, answered: readonly Overlaid[]): void {
    const version = row && versionOfRow(row, this.#options.fields);
    const entry = this.#entries.get(key);
    if (row && version !== undefined && version > (entry?.version ?? 0)) this.#put(key, row, version, true);
    // A base that is to go, the stream will take away: until then it must not show again as it was.
    if (!row && entry?.base) return;
    for (const write of answered) if (this.#keyOf(write.mutation) === key) this.#dropAnswered(write);
  }

  /**
   * What to do about acknowledged writes that the stream does not show: it tells nothing of records that the query does not see.
   * @returns the keys of those that must be read, and given to {@link look}
   */
  overdue(): readonly string[] {
    const keys = new Set<string>();
    for (const write of this.#writes.values()) {
      if (!isAcknowledged(write.mutation)) continue;
      const { base, key } = write.entry;
      const { kind } = write.mutation.write;
      // Nothing is there that could show as it was before.
      const isIdle = !base && (kind === 'patch' || kind === 'delete');
      if (isIdle || isTemporaryKey(key)) this.#drop(write, true);
      else keys.add(key);
    }
    return [...keys];
  }

  #keyOf({ write, answer, id }: Mutation): string {
    if (write.kind !== 'publish' && write.key !== undefined) return write.key;
    const named = isRow(answer?.body) ? keyOfRow(answer.body, this.#options.fields) : undefined;
    return named ?? temporaryKey({ id });
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known) return known;
    const none = { base: undefined, version: 0, ahead: false, ghost: undefined, writes: [] };
    const entry: Entry = { key, ...none, shown: undefined, places: [] };
    this.#entries.set(key, entry);
    return entry;
  }

  /** A record as the server has it, unless it lies where nothing is known of the others. */
  #put(key: string, row: Row, version: number, ahead: boolean): void {
    const isBeyond = this.#sorted.isBeyond(row);
    if (isBeyond && !this.#entries.has(key)) return;
    const entry = this.#entry(key);
    if (isBeyond) this.#setBase(entry, undefined);
    else this.#setBase(entry, row, version, ahead);
    this.#settle(entry, version);
  }

  #setBase(entry: Entry, row: Row | undefined, version = 0, ahead = false): void {
    if (!isSame(entry.base, row)) entry.base = row;
    entry.version = version;
    entry.ahead = ahead;
    entry.ghost = undefined;
    this.#dirty.add(entry);
  }

  /** The record has gone, and what was written into it before. @param by the key of the mutation that did it */
  #takeAway(entry: Entry, version: number, ahead: boolean, by?: string): void {
    const { key, base, writes } = entry;
    const own = writes.findIndex(({ mutation }) => mutationKey(mutation) === by);
    this.#setBase(entry, undefined, 0, ahead);
    if (own !== -1) entry.ghost = overlay(base, key, writes.slice(0, own + 1), this.#options.fields);
    for (const write of writes) {
      const { mutation, floor } = write;
      // A record that was not there when it was created is that one, or its creation will be refused.
      const isThis = mutation.write.kind === 'create' && write === writes[0] && base && floor === 0;
      if (isAcknowledged(mutation) ? isIn(version, write) : isThis) this.#drop(write, true);
      else if (base) write.floor = 0;
    }
  }

  #settle(entry: Entry, version = entry.version): void {
    for (const write of shownBy(version, entry.writes)) this.#drop(write, true);
  }

  #dropAnswered({ mutation }: Overlaid): void {
    const write = this.#writes.get(mutation.id);
    if (write && isAcknowledged(write.mutation)) this.#drop(write, true);
  }

  #place(mutation: Mutation, known: Write | undefined): void {
    const key = this.#keyOf(mutation);
    let write = known;
    if (write?.entry.key !== key) {
      if (write) this.#detach(write);
      const entry = this.#entry(key);
      const floor = isAcknowledged(mutation) ? 0 : (this.versionOf(key) ?? 0);
      write = { mutation, entry, floor, gone: known?.gone ?? false };
      this.#writes.set(mutation.id, write);
      entry.writes = [...entry.writes, write].sort((a, b) => a.mutation.order - b.mutation.order);
    }
    if (write.mutation !== mutation || known === undefined) this.#writesChanged += 1;
    write.mutation = mutation;
    this.#dirty.add(write.entry);
    if (isAcknowledged(mutation)) this.#settle(write.entry);
  }

  /** @param shown whether the base shows it: then it shows those that were answered before it was sent as well */
  #drop(write: Write, shown = false): void {
    const { entry, mutation } = write;
    if (!this.#writes.delete(mutation.id)) return;
    this.#writesChanged += 1;
    this.#detach(write);
    if (!shown) return;
    if (entry.ghost) entry.ghost = overlay(entry.ghost, entry.key, [write], this.#options.fields);
    if (!write.gone) this.#shown.add(mutationKey(mutation));
    this.#options.onShown?.(mutation);
    for (const other of entry.writes)
      if (isAcknowledged(other.mutation) && other.mutation.order < mutation.order) this.#drop(other, true);
  }

  #detach(write: Write): void {
    const { entry } = write;
    entry.writes = entry.writes.filter((other) => other !== write);
    this.#dirty.add(entry);
  }
}
