/**
 * One open stream: several topics, one reader. Turns what its feeds deliver into bytes, keeps the reader's cursor over all of
 * them, and says when replay is over, when the line is quiet, and when the token ends.
 */
import type { CloseReason, Control, ControlBatch, Gap } from '../protocol/control.ts';
import { type Cursor, formatCompoundCursor } from '../protocol/cursor.ts';
import type { EventBatch } from '../protocol/event-batch.ts';
import { EXPIRING_SECONDS, HEARTBEAT_SECONDS } from '../protocol/limits.ts';
import { type Representation, representationOf, type StreamFormat } from './representation.ts';
import type { Sink } from './sink.ts';
import type { Due, TimerWheel } from './timer-wheel.ts';

/** One topic's events for a stream: the part of a subscription that delivery needs. */
export interface Feed {
  readonly topic: string;
  readonly position: Cursor;
  readonly live: boolean;
  start(stream: EventStream): void;
  resume(): void;
  close(): void;
}

/** Who is at one topic, for a stream: tells it by `presence` while the stream is ready, and begins anew after it was not. */
export interface PresenceFeed {
  readonly topic: string;
  start(stream: Pick<EventStream, 'ready' | 'presence'>): void;
  resume(): void;
  close(): void;
}

/** Shared by all streams that wait for nothing, which are nearly all; and by all that watch nobody. */
const NONE: ReadonlySet<string> = new Set();
const NOBODY: readonly PresenceFeed[] = [];

/** A reader that has taken nothing for so long is gone in all but name. */
const STALLED_SECONDS = 900;

export interface EventStreamOptions {
  readonly id: string;
  readonly format: StreamFormat;
  readonly sink: Sink;
  readonly wheel: TimerWheel;
  /** ms since 1970, or `undefined` when the credential does not end. */
  readonly expires: number | undefined;
  /** When it is to end, and its reader to come back, ms since 1970; `undefined`: it may go on for ever. */
  readonly until?: number | undefined;
  /** How long a reader should wait before it comes back, in ms: jittered by whoever gives it. */
  readonly retry: () => number;
  /** Told of every delivery: how many events, how many bytes. */
  readonly onDelivery: (events: number, bytes: number) => void;
  readonly onEnd: (stream: EventStream, reason: CloseReason | 'gone') => void;
}

export class EventStream implements Due {
  readonly id: string;
  readonly format: StreamFormat;
  readonly #options: EventStreamOptions;
  // Used at every delivery, so not looked up in the options.
  readonly #sink: Sink;
  readonly #wheel: TimerWheel;
  readonly #onDelivery: EventStreamOptions['onDelivery'];
  readonly #representation: Representation;
  #feeds: readonly Feed[] = [];
  #presence: readonly PresenceFeed[] = NOBODY;
  /** Feeds that have not caught up yet. */
  #awaited = 0;
  /** Topics that the stream was opened with and whose positions are still looked up, and those of them that were taken off. */
  #lookedUp: ReadonlySet<string> = NONE;
  #takenOff: ReadonlySet<string> = NONE;
  #expires: number | undefined;
  #toldExpiring = false;
  #lastWrite: number;
  #stalledSince: number | undefined;
  #ended = false;
  #reason: CloseReason | 'gone' = 'gone';

  constructor(options: EventStreamOptions) {
    this.id = options.id;
    this.format = options.format;
    this.#options = options;
    this.#sink = options.sink;
    this.#wheel = options.wheel;
    this.#onDelivery = options.onDelivery;
    this.#representation = representationOf(options.format, options.sink.framing);
    this.#expires = options.expires;
    this.#lastWrite = options.wheel.now;
    options.sink.onReady = () => {
      for (const feed of this.#feeds) feed.resume();
      for (const feed of this.#presence) feed.resume();
    };
    options.sink.onClose = () => this.#end();
    options.wheel.schedule(this, this.#nextDue());
  }

  /** Whether the reader keeps up. Part of the broker's `Subscriber`. */
  get ready(): boolean {
    return this.#sink.ready;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get expires(): number | undefined {
    return this.#expires;
  }

  /** Those whose positions are still looked up among them. */
  get topics(): readonly string[] {
    return [...this.#feeds.map(({ topic }) => topic), ...this.#lookedUp];
  }

  /** Topics whose members it is told of. */
  get watched(): readonly string[] {
    return this.#presence.map(({ topic }) => topic);
  }

  /** What it reads, as far as its positions are known. */
  get subscriptions(): readonly Feed[] {
    return this.#feeds;
  }

  /** The stream's cursor: every topic's position. */
  get cursor(): string {
    return formatCompoundCursor(this.#feeds.map(({ position }) => position));
  }

  /** Says that the stream is open, before anything is looked up. */
  open(topics: readonly string[]): void {
    this.#lookedUp = new Set(topics);
    this.#tell({ name: 'open', data: { stream: this.id, heartbeat: HEARTBEAT_SECONDS, topics } });
  }

  /**
   * Adds feeds whose positions are known, and starts them together. It closes those that are not wanted: of a topic that is
   * there already, or was taken off while its position was looked up, and all of them after the end.
   */
  attach(feeds: readonly Feed[]): void {
    const present = new Set(this.#feeds.map(({ topic }) => topic));
    const added: Feed[] = [];
    for (const feed of feeds) {
      const { topic } = feed;
      if (this.#ended || this.#takenOff.has(topic) || present.has(topic)) {
        feed.close();
        this.#takenOff = without(this.#takenOff, topic);
        continue;
      }
      this.#lookedUp = without(this.#lookedUp, topic);
      present.add(topic);
      added.push(feed);
    }
    this.#feeds = [...this.#feeds, ...added];
    this.#awaited += added.length;
    for (const feed of added) feed.start(this);
  }

  /** Has itself told who is at topics. It closes feeds of topics that are watched already, and all of them after the end. */
  watch(feeds: readonly PresenceFeed[]): void {
    for (const feed of feeds) {
      if (this.#ended || this.watched.includes(feed.topic)) {
        feed.close();
        continue;
      }
      this.#presence = [...this.#presence, feed];
      feed.start(this);
    }
  }

  /** Takes topics off the stream. */
  detach(topics: ReadonlySet<string>): void {
    for (const feed of this.#presence) if (topics.has(feed.topic)) feed.close();
    this.#presence = this.#presence.filter(({ topic }) => !topics.has(topic));
    const gone = this.#feeds.filter(({ topic }) => topics.has(topic));
    const unwanted = this.#lookedUp.intersection(topics);
    this.#lookedUp = this.#lookedUp.difference(unwanted);
    this.#takenOff = this.#takenOff.union(unwanted);
    this.#feeds = this.#feeds.filter(({ topic }) => !topics.has(topic));
    for (const feed of gone) {
      if (!feed.live) this.#awaited -= 1;
      feed.close();
    }
    if (gone.length > 0 || unwanted.size > 0) this.#tellIfReady();
  }

  /**
   * Puts feeds in the place of those that the stream has of the same topics. At no moment is the stream's cursor without one of them, so
   * that who comes back with it is not taken for somebody who never read the topic.
   */
  exchange(feeds: readonly Feed[]): void {
    const fresh = new Map(feeds.map((feed) => [feed.topic, feed]));
    const gone = this.#ended ? [] : this.#feeds.filter(({ topic }) => fresh.has(topic));
    const present = new Set(gone.map(({ topic }) => topic));
    const added = feeds.filter(({ topic }) => present.has(topic));
    for (const feed of feeds) if (!present.has(feed.topic)) feed.close();
    for (const feed of gone) {
      if (!feed.live) this.#awaited -= 1;
      feed.close();
    }
    this.#feeds = this.#feeds.map((feed) => (present.has(feed.topic) ? (fresh.get(feed.topic) ?? feed) : feed));
    this.#awaited += added.length;
    for (const feed of added) feed.start(this);
  }

  deliver(batch: EventBatch, from: { readonly position: Cursor }): void {
    this.#lastWrite = this.#wheel.now;
    const bytes = this.#feeds.length === 1 ? this.#representation.batch(batch) : this.#compound(batch, from);
    this.#sink.write(bytes);
    this.#onDelivery(batch.events.length, bytes.byteLength);
  }

  gap(gap: Gap): void {
    this.#tell({ name: 'gap', data: gap, cursor: this.cursor });
  }

  /** Tells of the members of a topic. */
  presence(batch: ControlBatch): void {
    if (this.#ended) return;
    this.#lastWrite = this.#wheel.now;
    this.#sink.write(this.#representation.controls(batch));
  }

  caughtUp(): void {
    this.#awaited -= 1;
    this.#tellIfReady();
  }

  /** One of its feeds cannot go on. */
  cutOff(): void {
    this.close('limit');
  }

  /** Goes on with another credential. */
  renew(expires: number | undefined): void {
    this.#expires = expires;
    this.#toldExpiring = false;
    this.#wheel.schedule(this, this.#nextDue());
  }

  /** Ends the stream on purpose, and says why. */
  close(reason: CloseReason): void {
    if (this.#ended) return;
    this.#reason = reason;
    this.#tell({ name: 'close', data: { reason, retry: this.#options.retry() } });
    this.#sink.end();
    this.#end();
  }

  onDue(tick: number): number | undefined {
    if (this.#ended) return undefined;
    const wheel = this.#wheel;
    const { until } = this.#options;
    if (until !== undefined && tick >= wheel.tickAt(until)) {
      this.close('draining');
      return undefined;
    }
    if (this.#expires !== undefined) {
      if (tick >= wheel.tickAt(this.#expires)) {
        this.close('expired');
        return undefined;
      }
      if (!this.#toldExpiring && tick >= wheel.tickAt(this.#expires - EXPIRING_SECONDS * 1000)) {
        this.#toldExpiring = true;
        this.#tell({ name: 'expiring', data: { at: new Date(this.#expires).toISOString() } });
      }
    }
    if (tick - this.#lastWrite >= HEARTBEAT_SECONDS) {
      // A slow reader has something to read: a heartbeat would only add to it.
      if (this.#sink.ready)
        this.#tell({
          name: 'heartbeat',
          data: { time: new Date().toISOString(), cursor: this.cursor },
          cursor: this.cursor,
        });
      else this.#lastWrite = tick;
    }
    if (this.#sink.ready) this.#stalledSince = undefined;
    else this.#stalledSince ??= tick;
    if (this.#stalledSince !== undefined && tick - this.#stalledSince >= STALLED_SECONDS) {
      this.close('slow');
      return undefined;
    }
    return this.#nextDue();
  }

  /** The next tick at which something is to be said, if the stream stays quiet. */
  #nextDue(): number {
    const wheel = this.#wheel;
    const { until } = this.#options;
    const heartbeat = this.#lastWrite + HEARTBEAT_SECONDS;
    const next = until === undefined ? heartbeat : Math.min(heartbeat, wheel.tickAt(until));
    if (this.#expires === undefined) return next;
    const notice = this.#toldExpiring ? this.#expires : this.#expires - EXPIRING_SECONDS * 1000;
    return Math.min(next, wheel.tickAt(notice));
  }

  /** The bytes of a batch on a stream of several topics: at each event, this topic's position is the event, the others stand. */
  #compound(batch: EventBatch, from: { readonly position: Cursor }): Uint8Array {
    let before = '';
    let after = '';
    let found = false;
    for (const feed of this.#feeds) {
      if (feed === from) found = true;
      else if (found) after += `.${formatCompoundCursor([feed.position])}`;
      else before += `${formatCompoundCursor([feed.position])}.`;
    }
    return this.#representation.compound(batch, (event) => before + event.id + after);
  }

  #tellIfReady(): void {
    // Without a topic there is no cursor to be ready at.
    if (this.#awaited > 0 || this.#lookedUp.size > 0 || this.#feeds.length === 0) return;
    this.#tell({ name: 'ready', data: { cursor: this.cursor }, cursor: this.cursor });
  }

  #tell(control: Control): void {
    if (this.#ended) return;
    this.#lastWrite = this.#wheel.now;
    // An empty cursor would make an EventSource forget the one it has.
    this.#sink.write(this.#representation.control(control.cursor === '' ? { ...control, cursor: undefined } : control));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wheel.cancel(this);
    const feeds = this.#feeds;
    for (const feed of feeds) feed.close();
    for (const feed of this.#presence) feed.close();
    this.#options.onEnd(this, this.#reason);
  }
}

function without(topics: ReadonlySet<string>, topic: string): ReadonlySet<string> {
  if (!topics.has(topic)) return topics;
  return topics.size === 1 ? NONE : topics.difference(new Set([topic]));
}
