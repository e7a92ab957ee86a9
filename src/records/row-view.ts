/**
 * A view: the rows of a collection under `rls()` that callers with the same role, claims and filters see, kept in step with the
 * table for all of them together.
 *
 * **It holds the keys of the rows that its readers hold**, each with a digest of what they were told. For every stretch of the log
 * it asks Postgres, as the caller, for the rows whose keys changed, as they are now. What is there and was not is an `insert`, what
 * is there and differs an `update`, and what was held and is not there a `delete`. So nothing is ever sent but what the caller
 * could read at that moment, and a `delete` goes only to holders. Several changes of one row may arrive as one.
 *
 * **Where Postgres refuses to answer** (a right that was taken away, a policy that fails), the readers see nothing, and are told so;
 * the view asks again at every change, and with growing pauses, and then tells the difference.
 *
 * **Other tables** on which the policies depend tell of their changes by events of the log that no reader sees; then the whole view
 * is read again, in a snapshot that is exactly at the log's end, and its readers are told the difference.
 *
 * **Who comes** with a cursor is told what became of the rows that changed since. Where it cannot be known whether they hold a row
 * that is not visible now, they are told of a gap: saying its key might tell them of a row that they never saw.
 *
 * **Bounds.** A view holds at most 200,000 keys, and a reader catches up over a bounded stretch of the log
 * (`view-catch-up.ts`).
 */
import type { Broker, Subscriber, Subscription } from '../broker/broker.ts';
import { Pause } from '../broker/pause.ts';
import type { Projection } from '../broker/selection.ts';
import type { GapReason } from '../protocol/control.ts';
import type { Cursor } from '../protocol/cursor.ts';
import { EventBatch } from '../protocol/event-batch.ts';
import { StoreUnavailable } from '../store/store.ts';
import { RefusedReads } from './refused-reads.ts';
import type { ViewReader } from './view-reader.ts';
import { type News, ViewRows } from './view-rows.ts';
import type { ViewSource } from './view-source.ts';
import { ViewTooLarge } from './view-too-large.ts';

/** Batches that wait to be looked at; beyond them the view falls behind, and reads on from the log. */
const MAX_WAITING = 64;
/** A view that nobody reads is kept for so long, in ms. */
const LINGER_MS = 60_000;
/** Pauses after a failed look, in ms: the first, twice as long each time, and the longest. */
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5000;
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
  readonly #rows: ViewRows;
  readonly #refusals: RefusedReads;
  readonly #pause = new Pause();
  #loaded = false;
  #closed = false;
  #running = false;
  #retryMs = FIRST_RETRY_MS;
  #subscription: Subscription | undefined;
  #waiting: EventBatch[] = [];
  #joining: ViewReader[] = [];
  readonly #readers = new Set<ViewReader>();
  /** Open subscriptions, wherever they stand. */
  #holders = 0;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RowViewOptions) {
    const { view, source, onFault } = options;
    this.#options = options;
    this.topic = source.topic;
    const onDue = () => {
      this.#rows.doubt();
      this.#wake();
    };
    this.#refusals = new RefusedReads({ topic: this.topic, onFault, onDue });
    this.#rows = new ViewRows({
      view,
      source,
      tell: (news) => this.#tell(news),
      onAnswer: (refusal) => this.#refusals.heed(refusal),
    });
  }

  get position(): Cursor {
    if (!this.#running) this.#keepUp();
    return this.#rows.position;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What its readers hold: the token of each row, by key. */
  get held(): ReadonlyMap<string, string> {
    return this.#rows.held;
  }

  hold(): void {
    this.#holders += 1;
    clearTimeout(this.#linger);
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0 && !this.#closed) this.#linger = setTimeout(() => this.close(), LINGER_MS);
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
    this.#pause.end();
    this.#refusals.close();
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
        else if (this.#hasWork) await this.#advance();
        this.#keepUp();
        if (this.#joining.length > 0) await this.#admit();
        this.#retryMs = FIRST_RETRY_MS;
        if (this.#hasWork || this.#joining.some((reader) => this.#reaches(reader))) continue;
        if (this.#joining.length === 0) break;
        // Nothing is heard of events that do not matter, and they may be all that is missing to where a reader stands.
        await this.#pause.wait(AHEAD_MS);
      } catch (error) {
        if (error instanceof ViewTooLarge) return this.#giveUp();
        if (!(error instanceof StoreUnavailable)) this.#options.onFault(error);
        await this.#pause.wait(this.#retryMs);
        this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
      }
    }
    this.#running = false;
  }

  get #hasWork(): boolean {
    return !this.#loaded || this.#waiting.length > 0 || this.#rows.stale;
  }

  /** Passes over what does not matter: everything that does, up to where the subscription stands, was looked at. */
  #keepUp(): void {
    const stands = this.#subscription?.position;
    if (!this.#hasWork && stands?.epoch === this.#rows.epoch) this.#rows.passTo(stands.seq);
  }

  /** It has outgrown its bound: nobody is left to believe that it goes on. */
  #giveUp(): void {
    const readers = [...this.#readers, ...this.#joining];
    this.close();
    for (const reader of readers) reader.ended();
  }

  async #load(): Promise<void> {
    const { broker, interest } = this.#options;
    const end = await this.#rows.load();
    this.#waiting = [];
    this.#subscription?.close();
    const [subscription] = await broker.subscribe([
      { topic: this.topic, start: { kind: 'cursor', cursors: [end] }, projection: interest },
    ]);
    if (this.#closed) subscription?.close();
    this.#subscription = subscription;
    this.#loaded = true;
    subscription?.start(this);
  }

  /** The log has another end than thought: begins again, and says so to everybody. */
  async #reload(): Promise<void> {
    const before = this.#rows.position;
    await this.#load();
    this.#tellGap(before, 'unknown-epoch');
  }

  /** Looks at what has happened since. */
  async #advance(): Promise<void> {
    if (this.#refusals.refused) this.#rows.doubt();
    // A copy: more may come meanwhile. They stay where they are until they were looked at, which may fail.
    const batches = [...this.#waiting];
    const isSame = await this.#rows.look(
      batches.flatMap(({ events }) => events),
      batches.at(-1)?.last ?? 0,
    );
    this.#waiting = this.#waiting.slice(batches.length);
    if (!isSame) this.#loaded = false;
    this.#subscription?.resume();
  }

  #isDoubtful({ joinedAt }: ViewReader): boolean {
    return this.#options.now() - joinedAt < DOUBT_MS;
  }

  #tell(news: News): void {
    if (news.kind === 'too-much') {
      this.#tellGap(news.before, 'lagged');
      return;
    }
    const { batch, isWhole } = news;
    const before = { epoch: batch.epoch, seq: batch.after };
    if (isWhole) this.#tellGap(before, 'unknown-epoch', (reader) => this.#isDoubtful(reader));
    for (const reader of this.#readers) reader.receive(batch);
  }

  #tellGap(before: Cursor, reason: GapReason, whom: (reader: ViewReader) => boolean = () => true): void {
    for (const reader of this.#readers) if (whom(reader)) reader.gap(before, reason);
  }

  /** Whether the view has come to where the reader stands. */
  #reaches({ from }: ViewReader): boolean {
    const { epoch, seq } = this.#rows.position;
    return from === undefined || from.epoch !== epoch || from.seq <= seq;
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
    const difference = holds && (await this.#rows.differenceFrom(holds));
    if (difference !== undefined) return difference;
    const { position } = this.#rows;
    if (from === undefined) return undefined;
    if (from.epoch !== position.epoch) {
      reader.gap(from, 'unknown-epoch');
      return undefined;
    }
    const missed = await this.#rows.catchUp(from);
    if (missed.kind === 'gap') {
      reader.gap(from, missed.reason);
      return undefined;
    }
    return new EventBatch(this.topic, position.epoch, from.seq, position.seq, missed.events);
  }
}
