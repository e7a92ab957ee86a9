/**
 * A page: what lies after a cursor as one JSON answer, at once or as a long poll (protocol section 2).
 *
 * It reads through the same feeds as a stream does, and takes what they deliver until it is full, or there is something and
 * no more at the moment, or the time is up. What was delivered beyond the limit is left for the next page, by cursor.
 */
import type { Gap } from '../protocol/control.ts';
import { type Cursor, formatCompoundCursor, parseCursor } from '../protocol/cursor.ts';
import type { EventBatch, LogEvent } from '../protocol/event-batch.ts';

/** A page is full at this many characters of events, though it always holds one. */
export const PAGE_SIZE = 4 * 1024 * 1024;

export interface PageFeed {
  readonly topic: string;
  readonly position: Cursor;
  start(collector: PageCollector): void;
  close(): void;
}

export interface PageOptions {
  /** The most events. */
  readonly limit: number;
  /** Whether to wait when there is nothing yet. */
  readonly wait: boolean;
}

export type PageResult =
  | {
      readonly kind: 'page';
      readonly events: readonly LogEvent[];
      readonly cursor: string;
      readonly more: boolean;
      readonly gap: Gap | undefined;
    }
  /** The log could not be read in time. */
  | { readonly kind: 'unavailable' };

export class PageCollector {
  readonly #options: PageOptions;
  readonly #feeds: readonly PageFeed[];
  readonly #events: LogEvent[] = [];
  /** Where the next page begins, for topics of which not everything delivered was taken. */
  readonly #cut = new Map<string, Cursor>();
  readonly #done: Promise<PageResult>;
  #resolve: (result: PageResult) => void = () => undefined;
  #size = 0;
  #behind: number;
  #gap: Gap | undefined;
  #finished = false;

  constructor(feeds: readonly PageFeed[], options: PageOptions) {
    this.#options = options;
    this.#feeds = feeds;
    this.#behind = feeds.length;
    this.#done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get ready(): boolean {
    return !this.#finished;
  }

  /** Starts the feeds, and resolves with the page. */
  collect(): Promise<PageResult> {
    for (const feed of this.#feeds) if (!this.#finished) feed.start(this);
    return this.#done;
  }

  /** The time is up: answers with what there is. */
  expire(): void {
    if (this.#finished) return;
    if (this.#behind > 0 && this.#events.length === 0 && this.#gap === undefined) this.#finish({ kind: 'unavailable' });
    else this.#answer();
  }

  deliver(batch: EventBatch): void {
    for (const event of batch.events) {
      if (event.id === undefined) continue;
      if (this.#full) {
        this.#cut.set(batch.topic, { epoch: batch.epoch, seq: event.seq - 1 });
        break;
      }
      this.#events.push(event);
      this.#size += event.size;
    }
    // A page that is just full waits for one event more, or for the end of replay: only they tell whether there is more.
    // Ephemeral events alone are nothing that a page could hold.
    if (this.#cut.size > 0 || (this.#behind === 0 && this.#events.length > 0)) this.#answer();
  }

  gap(gap: Gap): void {
    if (this.#gap === undefined) {
      this.#gap = gap;
      return;
    }
    // One page tells of one gap: this topic's is left for the next, which asks for the same place again.
    const requested = parseCursor(gap.requested);
    if (requested !== undefined) this.#cut.set(gap.topic, requested);
    this.#answer();
  }

  caughtUp(): void {
    this.#behind -= 1;
    if (this.#behind === 0 && (!this.#options.wait || this.#events.length > 0 || this.#gap !== undefined))
      this.#answer();
  }

  cutOff(): void {
    this.#finish({ kind: 'unavailable' });
  }

  get #full(): boolean {
    return this.#events.length >= this.#options.limit || (this.#events.length > 0 && this.#size >= PAGE_SIZE);
  }

  #answer(): void {
    if (this.#finished) return;
    const cursor = formatCompoundCursor(this.#feeds.map((feed) => this.#cut.get(feed.topic) ?? feed.position));
    this.#finish({
      kind: 'page',
      events: this.#events,
      cursor,
      more: this.#cut.size > 0 || this.#behind > 0,
      gap: this.#gap,
    });
  }

  #finish(result: PageResult): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#resolve(result);
    for (const feed of this.#feeds) feed.close();
  }
}
