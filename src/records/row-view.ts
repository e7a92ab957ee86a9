/**
 * A view: the rows of a collection under `rls()` that callers with the same role, claims and filters see, kept in step with the
 * table for all of them together.
 *
 * **It holds the keys of the rows that its readers hold**, each with a digest of what they were told. For every stretch of the log
 * it asks Postgres, as the caller, for the rows whose keys changed, as they are now. What is there and was not is an `insert`, what
 * is there and differs an `update`, and what was held and is not there a `delete`. So nothing is ever sent but what the caller
 * could read at that moment, and a `delete` goes only to holders. Several changes of one row may arrive as one.
 *
 * **Other tables** on which the policies depend tell of their changes by events of the log that no reader sees; then the whole view
 * is read again, in a snapshot that is exactly at the log's end, and its readers are told the difference.
 *
 * **Who comes** with a cursor is told what became of the rows that changed since. Where it cannot be known whether they hold a row
 * that is not visible now, they are told of a gap: saying its key might tell them of a row that they never saw.
 *
 * **Bounds.** A view holds at most {@link MAX_HELD} keys, and a reader catches up over a bounded stretch of the log
 * (`view-catch-up.ts`).
 */
import type { Broker, Subscriber, Subscription } from '../broker/broker.ts';
import type { Projection } from '../broker/selection.ts';
import { type Cursor, viewEpoch } from '../protocol/cursor.ts';
import { EventBatch, type LogEvent } from '../protocol/event-batch.ts';
import { StoreUnavailable } from '../store/store.ts';
import { HeldRows } from './held-rows.ts';
import { DEPENDENCY_TYPE } from './seen-change.ts';
import { catchUp } from './view-catch-up.ts';
import { bodiesOfDifference, differenceBody, inOneStep, inOrder, rowEvent } from './view-events.ts';
import type { ViewReader } from './view-reader.ts';
import type { RowsRead, ViewSource } from './view-source.ts';
import { ViewTooLarge } from './view-too-large.ts';

/** The most rows of a view. */
export const MAX_HELD = 200_000;
/** Batches that wait to be looked at; beyond them the view falls behind, and reads on from the log. */
const MAX_WAITING = 64;
/** A view that nobody reads is kept for so long, in ms. */
const LINGER_MS = 60_000;
const RETRY_MS = 500;
/** How often a view looks whether it has come to where a reader stands, in ms. */
const AHEAD_MS = 20;
/**
 * A reader who came so shortly before a change of another table, in ms, may have come between that change and its event; what
 * the view was told early by then, the reader was not.
 */
const DOUBT_MS = 10_000;

export interface RowViewOptions {
  /** Names the view (see `viewEpoch`). */
  readonly view: string;
  readonly source: ViewSource;
  /** The events that can matter; all unless given. */
  readonly interest?: Projection | undefined;
  readonly broker: Broker;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
  readonly onFault: (error: unknown) => void;
  /** Told when nobody has read it for a while, and it is closed. */
  readonly onEnd: () => void;
}

export class RowView implements Subscriber {
  readonly topic: string;
  readonly #options: RowViewOptions;
  readonly #rows = new HeldRows();
  #epoch = '';
  #seq = 0;
  #loaded = false;
  #closed = false;
  #running = false;
  #subscription: Subscription | undefined;
  #waiting: EventBatch[] = [];
  #joining: ViewReader[] = [];
  readonly #readers = new Set<ViewReader>();
  /** Open subscriptions, wherever they stand. */
  #holders = 0;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RowViewOptions) {
    this.#options = options;
    this.topic = options.source.topic;
  }

  get position(): Cursor {
    if (!this.#running) this.#keepUp();
    return { epoch: this.#viewEpoch, seq: this.#seq };
  }

  get #viewEpoch(): string {
    return viewEpoch(this.#epoch, this.#options.view);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What its readers hold: the token of each row, by key. */
  get held(): ReadonlyMap<string, string> {
    return this.#rows.all;
  }

  hold(): void {
    this.#holders += 1;
    clearTimeout(this.#linger);
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#linger = setTimeout(() => this.close(), LINGER_MS);
  }

  /** Reads the view for the first time, if nobody has. @throws StoreUnavailable, ViewTooLarge */
  async load(): Promise<void> {
    if (!this.#loaded) await this.#load();
  }

  /** Takes a reader in, as soon as the view has come to where the reader stands. */
  join(reader: ViewReader): void {
    this.#joining.push(reader);
    this.#wake();
  }

  leave(reader: ViewReader): void {
    this.#readers.delete(reader);
    this.#joining = this.#joining.filter((joining) => joining !== reader);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#linger);
    this.#subscription?.close();
    this.#options.onEnd();
  }

  // What the broker tells: the view is a subscriber of the collection's log.

  get ready(): boolean {
    return this.#waiting.length < MAX_WAITING;
  }

  deliver(batch: EventBatch): void {
    this.#waiting.push(batch);
    this.#wake();
  }

  gap(): void {
    this.#loaded = false;
    this.#wake();
  }

  caughtUp(): void {
    this.#wake();
  }

  #wake(): void {
    if (!this.#running && !this.#closed) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (!this.#closed) {
      try {
        if (!this.#loaded) await this.#reload();
        else if (this.#waiting.length > 0) await this.#advance();
        this.#keepUp();
        if (this.#joining.length > 0) await this.#admit();
        if (!this.#loaded || this.#waiting.length > 0 || this.#joining.some((reader) => this.#reaches(reader)))
          continue;
        if (this.#joining.length === 0) break;
        // Nothing is heard of events that do not matter, and they may be all that is missing to where a reader stands.
        await new Promise((resolve) => setTimeout(resolve, AHEAD_MS));
      } catch (error) {
        if (error instanceof ViewTooLarge) return this.#giveUp();
        if (!(error instanceof StoreUnavailable)) this.#options.onFault(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.#running = false;
  }

  /** Passes over what does not matter: everything that does, up to where the subscription stands, was looked at. */
  #keepUp(): void {
    const stands = this.#subscription?.position;
    if (this.#waiting.length === 0 && this.#loaded && stands?.epoch === this.#epoch)
      this.#seq = Math.max(this.#seq, stands.seq);
  }

  /** It has outgrown its bound: nobody is left to believe that it goes on. */
  #giveUp(): void {
    const readers = [...this.#readers, ...this.#joining];
    this.close();
    for (const reader of readers) reader.ended();
  }

  async #load(): Promise<void> {
    const { source, broker, interest } = this.#options;
    const { epoch, seq, rows } = await source.readAll(MAX_HELD);
    this.#epoch = epoch;
    this.#seq = seq;
    this.#rows.reset(rows);
    this.#waiting = [];
    this.#subscription?.close();
    const [subscription] = await broker.subscribe([
      { topic: this.topic, start: { kind: 'cursor', cursors: [{ epoch, seq }] }, projection: interest },
    ]);
    if (this.#closed) subscription?.close();
    this.#subscription = subscription;
    this.#loaded = true;
    subscription?.start(this);
  }

  /** The log has another end than thought: begins again, and says so to everybody. */
  async #reload(): Promise<void> {
    const before = this.position;
    await this.#load();
    for (const reader of this.#readers) reader.gap(before, 'unknown-epoch');
  }

  /** Looks at what has happened since. */
  async #advance(): Promise<void> {
    // A copy: more may come meanwhile. They stay where they are until they were looked at, which may fail.
    const batches = [...this.#waiting];
    const last = batches.at(-1)?.last ?? 0;
    const events = batches.flatMap((batch) => batch.events).filter(({ seq }) => seq > this.#seq);
    if (events.some(({ type }) => type === DEPENDENCY_TYPE)) await this.#resync();
    else {
      const changed = new Map<string, LogEvent>();
      for (const event of events) if (event.key !== undefined) changed.set(event.key, event);
      const read = await this.#read(changed.keys());
      const after = this.#seq;
      this.#seq = Math.max(this.#seq, last);
      // The last change of each row stands for all: in the order of these, so that a cursor between them says what was told.
      this.#tell(after, this.#differences(inOrder(changed), read));
    }
    this.#waiting = this.#waiting.slice(batches.length);
    this.#subscription?.resume();
  }

  async #read(keys: Iterable<string>): Promise<RowsRead | undefined> {
    const wanted = [...keys];
    return wanted.length === 0 ? undefined : this.#options.source.read(wanted);
  }

  /**
   * What the readers must be told of these events' rows, and from now on hold.
   * @param late for events of before the view's position: they are told at it
   */
  #differences(events: readonly LogEvent[], read: RowsRead | undefined, late = false): readonly LogEvent[] {
    if (read === undefined) return [];
    const told: LogEvent[] = [];
    for (const event of events) {
      const key = event.key ?? '';
      const row = read.rows.get(key);
      const difference = this.#rows.take(key, row);
      if (difference === undefined) continue;
      const body = differenceBody(event, difference, row);
      told.push(event.withBody(body, this.#viewEpoch, late ? this.#seq : event.seq));
    }
    // Who is too slow for what is told late comes back with the same cursor.
    this.#rows.noteRead(events, this.#seq, read, late && told.length > 0 ? this.#seq + 1 : 0);
    return told;
  }

  /** Reads everything again, and tells the difference. */
  async #resync(): Promise<void> {
    const { source, now } = this.#options;
    const before = this.position;
    const { epoch, seq, rows } = await source.readAll(MAX_HELD);
    if (epoch !== this.#epoch) {
      this.#loaded = false;
      return;
    }
    const bodies: string[] = [];
    const there = new Map(rows.map((row) => [row.key, row]));
    for (const key of new Set([...there.keys(), ...this.#rows.all.keys()])) {
      const row = there.get(key);
      const difference = this.#rows.take(key, row);
      if (difference === undefined) continue;
      bodies.push(differenceBody(rowEvent(this.topic, key), difference, row));
    }
    this.#rows.reset(rows);
    const after = this.#seq;
    this.#seq = Math.max(seq, after);
    const events = inOneStep(this.topic, bodies, after, this.position);
    for (const reader of this.#readers) if (now() - reader.joinedAt < DOUBT_MS) reader.gap(before, 'unknown-epoch');
    this.#tell(after, events);
  }

  #tell(after: number, events: readonly LogEvent[]): void {
    const batch = new EventBatch(this.topic, this.#viewEpoch, after, this.#seq, events);
    for (const reader of this.#readers) reader.receive(batch);
  }

  /** Whether the view has come to where the reader stands. */
  #reaches({ from }: ViewReader): boolean {
    return from === undefined || from.epoch !== this.#viewEpoch || from.seq <= this.#seq;
  }

  async #admit(): Promise<void> {
    for (const reader of this.#joining.filter((joining) => this.#reaches(joining))) {
      const told = await this.#catchUp(reader);
      if (!this.#joining.includes(reader)) continue;
      this.#joining = this.#joining.filter((joining) => joining !== reader);
      this.#readers.add(reader);
      reader.joined(this.#options.now(), told);
    }
    // Ahead of the view: the log may be ahead of it too, or the cursor of both.
    for (const reader of [...this.#joining]) {
      if (this.#reaches(reader)) continue;
      const latest = await this.#options.source.latest();
      if (reader.from !== undefined && reader.from.seq > latest) reader.gap(reader.from, 'ahead');
    }
  }

  /** What a reader must be told before it is where the view is. */
  async #catchUp(reader: ViewReader): Promise<EventBatch | undefined> {
    const { from, holds } = reader;
    const { position } = this;
    if (holds !== undefined) return this.#differenceFrom(holds);
    if (from === undefined) return undefined;
    if (from.epoch !== position.epoch) {
      reader.gap(from, 'unknown-epoch');
      return undefined;
    }
    const missed = await catchUp(this.#options.source, this.#rows, from, position);
    // What was read now may be news to the others too; and what this one is told, all hold from now on.
    const news = this.#differences(missed.changes, missed.read, true);
    if (news.length > 0) this.#tell(position.seq, news);
    if (missed.kind === 'missed')
      return new EventBatch(this.topic, position.epoch, from.seq, position.seq, missed.events);
    reader.gap(from, missed.reason);
    return undefined;
  }

  /** What a reader who holds other rows, of another view, must be told to hold those of this one. */
  async #differenceFrom(holds: ReadonlyMap<string, string>): Promise<EventBatch> {
    const { topic, position } = this;
    const held = this.#rows.all;
    const differing = [...held].filter(([key, token]) => holds.get(key) !== token).map(([key]) => key);
    const read = await this.#read(differing);
    const bodies = bodiesOfDifference(topic, holds, held, read?.rows ?? new Map());
    return new EventBatch(
      topic,
      position.epoch,
      position.seq,
      position.seq,
      inOneStep(topic, bodies, position.seq, position),
    );
  }
}
