/**
 * What the readers of a view hold, kept in step with the table: reads rows as the caller, and says what the readers must be told.
 * It knows no reader; `row-view.ts` passes on what it says.
 */
import { type Cursor, viewEpoch } from '../protocol/cursor.ts';
import { EventBatch, type LogEvent } from '../protocol/event-batch.ts';
import { StoreUnavailable } from '../store/store.ts';
import { HeldRows } from './held-rows.ts';
import { DEPENDENCY_TYPE } from './seen-change.ts';
import { type CaughtUp, catchUp } from './view-catch-up.ts';
import { bodiesOfDifference, differenceBody, inOneStep, inOrder, rowEvent } from './view-events.ts';
import type { RowsRead, ViewSource } from './view-source.ts';

/** The most rows of a view. */
export const MAX_HELD = 200_000;
/** The most rows of a difference that is told row by row; beyond it the readers are told of a gap. */
const MAX_TOLD = 5000;

/** What the readers are to be told, and from then on hold. */
export type News =
  | {
      readonly kind: 'changes';
      readonly batch: EventBatch;
      /** Whether everything was read again, because another table changed. */
      readonly isWhole: boolean;
    }
  /** More is different than is told row by row. @property before where they stood */
  | { readonly kind: 'too-much'; readonly before: Cursor };

export interface ViewRowsOptions {
  /** Names the view (see `viewEpoch`). */
  readonly view: string;
  readonly source: ViewSource;
  /** Passes news on, at the very moment at which {@link ViewRows.position} and `held` come to include it. */
  readonly tell: (news: News) => void;
  /** Told of every read of all rows whether Postgres refused to answer, and why. */
  readonly onAnswer: (refusal: unknown) => void;
}

export class ViewRows {
  readonly #options: ViewRowsOptions;
  readonly #rows = new HeldRows();
  #epoch = '';
  #seq = 0;
  /** Whether all is to be read again. */
  #stale = false;
  /** Whether Postgres refused to answer when all was read last. */
  #refused = false;

  constructor(options: ViewRowsOptions) {
    this.#options = options;
  }

  /** The log's epoch. */
  get epoch(): string {
    return this.#epoch;
  }

  get position(): Cursor {
    return { epoch: viewEpoch(this.#epoch, this.#options.view), seq: this.#seq };
  }

  /** The token of each row, by key. */
  get held(): ReadonlyMap<string, string> {
    return this.#rows.all;
  }

  /** Whether something is to be looked at that no event told of. */
  get stale(): boolean {
    return this.#stale;
  }

  /** Has all read again at the next look. */
  doubt(): void {
    this.#stale = true;
  }

  /** Passes over events that do not matter. */
  passTo(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  /** Begins with what is there. @returns where in the log that is; @throws StoreUnavailable, ViewTooLarge */
  async load(): Promise<Cursor> {
    const { source, onAnswer } = this.#options;
    const { epoch, seq, rows, unreadable } = await source.readAll(MAX_HELD);
    this.#epoch = epoch;
    this.#seq = seq;
    this.#stale = false;
    this.#rows.reset(rows);
    this.#refused = unreadable !== undefined;
    onAnswer(unreadable);
    return { epoch, seq };
  }

  /**
   * Looks at what has happened since.
   * @param events those that matter, in the order of the log
   * @param last the seq up to which they are all
   * @returns whether the log is still the same; if not, all is to be loaded again. @throws StoreUnavailable, ViewTooLarge
   */
  async look(events: readonly LogEvent[], last: number): Promise<boolean> {
    if (this.#stale || events.some(({ type, seq }) => type === DEPENDENCY_TYPE && seq > this.#seq))
      return this.#lookAtAll();
    const changed = new Map<string, LogEvent>();
    for (const event of events) if (event.seq > this.#seq && event.key !== undefined) changed.set(event.key, event);
    const read = await this.#read([...changed.keys()]);
    if (read?.unreadable !== undefined) return this.#lookAtAll();
    const after = this.#seq;
    this.passTo(last);
    // The last change of each row stands for all: in the order of these, so that a cursor between them says what was told.
    this.#tell(after, this.#differences(inOrder(changed), read));
    return true;
  }

  /**
   * What a reader has missed who comes with a cursor of this view. What was read for it may be news to the others too, who are told it
   * first; and what this one is told, all hold from then on.
   * @throws StoreUnavailable
   */
  async catchUp(from: Cursor): Promise<CaughtUp> {
    const { position } = this;
    const missed = await catchUp(this.#options.source, this.#rows, from, position);
    const news = this.#differences(missed.changes, missed.read, true);
    if (news.length > 0) this.#tell(position.seq, news);
    return missed;
  }

  /**
   * What a reader who holds other rows, of another view, must be told to hold these.
   * @returns `undefined` when it is too much; @throws StoreUnavailable
   */
  async differenceFrom(holds: ReadonlyMap<string, string>): Promise<EventBatch | undefined> {
    const { topic } = this.#options.source;
    const { position } = this;
    const { keys, gone } = this.#rows.lackingIn(holds);
    if (keys.length + gone.length > MAX_TOLD) return undefined;
    const read = await this.#readable(keys);
    const bodies = bodiesOfDifference(topic, holds, this.held, read?.rows ?? new Map());
    return this.#batch(position.seq, inOneStep(topic, bodies, position.seq, position));
  }

  /** Reads everything again, and tells the difference. */
  async #lookAtAll(): Promise<boolean> {
    const { source, onAnswer } = this.#options;
    const { epoch, seq, rows, unreadable } = await source.readAll(MAX_HELD);
    if (epoch !== this.#epoch) return false;
    const { keys, gone } = this.#rows.differingFrom(rows);
    const isTold = keys.length + gone.length <= MAX_TOLD;
    const read = isTold ? await this.#readable(keys) : undefined;
    const before = this.position;
    this.passTo(seq);
    this.#stale = false;
    const isStillRefused = this.#refused && unreadable !== undefined;
    this.#refused = unreadable !== undefined;
    onAnswer(unreadable);
    if (!isTold) {
      this.#rows.reset(rows);
      this.#options.tell({ kind: 'too-much', before });
      return true;
    }
    this.#rows.settle();
    const events = [...gone, ...keys].map((key) => rowEvent(source.topic, key));
    const bodies = events.flatMap((event) => {
      const row = read?.rows.get(event.key ?? '');
      const difference = this.#rows.take(event.key ?? '', row);
      return difference === undefined ? [] : [differenceBody(event, difference, row)];
    });
    // They may be newer than the log's end was.
    if (read !== undefined) this.#rows.noteRead(events.slice(gone.length), this.#seq, read);
    this.#tell(before.seq, inOneStep(source.topic, bodies, before.seq, this.position), !isStillRefused);
    return true;
  }

  async #read(keys: readonly string[]): Promise<RowsRead | undefined> {
    return keys.length === 0 ? undefined : this.#options.source.read(keys);
  }

  /** @throws StoreUnavailable also where Postgres refuses to answer, which it did not a moment ago */
  async #readable(keys: readonly string[]): Promise<RowsRead | undefined> {
    const read = await this.#read(keys);
    if (read?.unreadable === undefined) return read;
    this.#stale = true;
    throw new StoreUnavailable('rows cannot be read now', { cause: read.unreadable });
  }

  /**
   * What the readers must be told of these events' rows, and from now on hold.
   * @param late for events of before the view's position: they are told at it
   */
  #differences(events: readonly LogEvent[], read: RowsRead | undefined, late = false): readonly LogEvent[] {
    if (read === undefined) return [];
    const { epoch, seq } = this.position;
    const told: LogEvent[] = [];
    for (const event of events) {
      const key = event.key ?? '';
      const row = read.rows.get(key);
      const difference = this.#rows.take(key, row);
      if (difference === undefined) continue;
      told.push(event.withBody(differenceBody(event, difference, row), epoch, late ? seq : event.seq));
    }
    // Who is too slow for what is told late comes back with the same cursor.
    this.#rows.noteRead(events, seq, read, late && told.length > 0 ? seq + 1 : 0);
    return told;
  }

  #tell(after: number, events: readonly LogEvent[], isWhole = false): void {
    this.#options.tell({ kind: 'changes', batch: this.#batch(after, events), isWhole });
  }

  #batch(after: number, events: readonly LogEvent[]): EventBatch {
    return new EventBatch(this.#options.source.topic, this.position.epoch, after, this.#seq, events);
  }
}
