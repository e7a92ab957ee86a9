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
 * **Bounds.** A view holds at most {@link MAX_HELD} keys, and a reader catches up over at most {@link MAX_CATCH_UP} events.
 */
import type { Broker, Subscriber, Subscription } from '../broker/broker.ts';
import { type Cursor, viewEpoch } from '../protocol/cursor.ts';
import { renderHead } from '../protocol/event.ts';
import { EventBatch, LogEvent } from '../protocol/event-batch.ts';
import { StoreUnavailable } from '../store/store.ts';
import { HeldRows, versionOf } from './held-rows.ts';
import { bodyOf, DEPENDENCY_TYPE, deleteBody, loggedChange } from './seen-change.ts';
import type { ViewReader } from './view-reader.ts';
import type { RowsRead, SeenRow, ViewSource } from './view-source.ts';

/** The most rows of a view. */
export const MAX_HELD = 200_000;
/** The most events over which a reader catches up. */
export const MAX_CATCH_UP = 20_000;
/** Batches that wait to be looked at; beyond them the view falls behind, and reads on from the log. */
const MAX_WAITING = 64;
/** A view that nobody reads is kept for so long, in ms. */
const LINGER_MS = 60_000;
const RETRY_MS = 500;
/**
 * A reader who came so shortly before a change of another table, in ms, may have come between that change and its event; what
 * the view was told early by then, the reader was not.
 */
const DOUBT_MS = 10_000;

export interface RowViewOptions {
  /** Names the view (see `viewEpoch`). */
  readonly view: string;
  readonly source: ViewSource;
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
        if (this.#joining.length > 0) await this.#admit();
        if (this.#loaded && this.#waiting.length === 0 && !this.#joining.some((reader) => this.#reaches(reader))) break;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) this.#options.onFault(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.#running = false;
  }

  async #load(): Promise<void> {
    const { source, broker } = this.#options;
    const { epoch, seq, rows } = await source.readAll(MAX_HELD);
    this.#epoch = epoch;
    this.#seq = seq;
    this.#rows.reset(rows);
    this.#waiting = [];
    this.#subscription?.close();
    const [subscription] = await broker.subscribe([
      { topic: this.topic, start: { kind: 'cursor', cursors: [{ epoch, seq }] } },
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
      const body =
        difference.kind === 'delete' ? deleteBody(event, difference.version) : rowBody(event, difference.kind, row);
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
    const head = renderHead(this.topic, Date.now());
    const bodies: string[] = [];
    const there = new Map(rows.map((row) => [row.key, row]));
    for (const key of new Set([...there.keys(), ...this.#rows.all.keys()])) {
      const row = there.get(key);
      const difference = this.#rows.take(key, row);
      if (difference === undefined) continue;
      const at = place(this.topic, key);
      bodies.push(
        difference.kind === 'delete' ? deleteBody(at, difference.version) : rowBody(at, difference.kind, row),
      );
    }
    this.#rows.reset(rows);
    const after = this.#seq;
    this.#seq = Math.max(seq, after);
    const events = this.#inOneStep(head, bodies, after);
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

  /** What a reader who holds other rows, of another view, must be told to hold those of this one. */
  async #differenceFrom(holds: ReadonlyMap<string, string>): Promise<EventBatch> {
    const gone = [...holds].filter(([key]) => !this.#rows.all.has(key));
    const differing = [...this.#rows.all].filter(([key, token]) => holds.get(key) !== token).map(([key]) => key);
    const rows = [...((await this.#read(differing))?.rows.values() ?? [])];
    const head = renderHead(this.topic, Date.now());
    const bodies = [
      ...gone.map(([key, token]) => deleteBody(place(this.topic, key), versionOf(token))),
      ...rows.map((row) => rowBody(place(this.topic, row.key), holds.has(row.key) ? 'update' : 'insert', row)),
    ];
    return new EventBatch(this.topic, this.#viewEpoch, this.#seq, this.#seq, this.#inOneStep(head, bodies, this.#seq));
  }

  /**
   * Events that belong together. Only the last one moves the cursor: whoever is cut off between them comes back with a cursor
   * that is not of this view's past, and is told of a gap.
   */
  #inOneStep(head: string, bodies: readonly string[], before: number): readonly LogEvent[] {
    const epoch = this.#viewEpoch;
    return bodies.map((body, index) => {
      const last = index === bodies.length - 1;
      return new LogEvent(
        last ? { epoch, seq: this.#seq } : { epoch: viewEpoch(epoch, 'between'), seq: before },
        head,
        body,
      );
    });
  }

  /** What a reader must be told before it is where the view is. */
  async #catchUp(reader: ViewReader): Promise<EventBatch | undefined> {
    const { from: start, holds } = reader;
    if (holds !== undefined) return this.#differenceFrom(holds);
    if (start === undefined) return undefined;
    if (start.epoch !== this.#viewEpoch) {
      reader.gap(start, 'unknown-epoch');
      return undefined;
    }
    const early = this.#rows.earlyAt(start.seq);
    if (start.seq === this.#seq && early?.length === 0) return undefined;
    const page = await this.#options.source.events(start.seq, this.#seq, MAX_CATCH_UP);
    if (page.kind === 'gone' || early === undefined) {
      reader.gap(start, page.kind === 'gone' ? page.reason : 'lagged');
      return undefined;
    }
    const first = new Map<string, LogEvent>();
    const last = new Map<string, LogEvent>();
    for (const event of [...early, ...page.events]) {
      if (event.key === undefined) continue;
      if (!first.has(event.key)) first.set(event.key, event);
      last.set(event.key, event);
    }
    const events = inOrder(last);
    const read = await this.#read(last.keys());
    let certain = !page.events.some(({ type }) => type === DEPENDENCY_TYPE);
    const missed: LogEvent[] = [];
    for (const event of events) {
      const key = event.key ?? '';
      const row = read?.rows.get(key);
      const begun = first.get(key);
      const isNew = begun?.type === 'insert' && begun.seq > start.seq;
      let body: string | undefined;
      if (row !== undefined) body = rowBody(event, isNew ? 'insert' : 'update', row);
      else if (this.#rows.knows(key)) body = deleteBody(event, loggedChange(event)?.version ?? 0);
      else if (!isNew) certain = false;
      if (body !== undefined) missed.push(event.withBody(body, this.#viewEpoch, Math.max(event.seq, start.seq)));
    }
    // What was read now may be news to the others too; and what this one is told, all hold from now on.
    const news = this.#differences(events, read, true);
    if (news.length > 0) this.#tell(this.#seq, news);
    if (!certain) {
      reader.gap(start, 'unknown-epoch');
      return undefined;
    }
    return new EventBatch(this.topic, this.#viewEpoch, start.seq, this.#seq, missed);
  }
}

/** In the order of the log. */
function inOrder(events: ReadonlyMap<string, LogEvent>): readonly LogEvent[] {
  return [...events.values()].sort((a, b) => a.seq - b.seq);
}

/** An event that only says which row is meant. */
function place(topic: string, key: string): LogEvent {
  return new LogEvent(undefined, renderHead(topic, 0), `"type":"update","data":null,"key":${JSON.stringify(key)}}`);
}

function rowBody(event: LogEvent, type: 'insert' | 'update', row: SeenRow | undefined): string {
  if (row === undefined) throw new Error('a row that is told must be there');
  return bodyOf(event, type, `{"new":${row.record},"version":${row.version}}`);
}
