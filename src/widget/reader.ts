/**
 * One element's reading of a topic: where it stands, whatever line it is on.
 *
 * A line tells what comes from now on. What was before, a reader asks for by pages: the newest events at first, and later, when it
 * comes to a line with a place of its own (another ticket, an element that was moved), all that it has missed. What comes down the line
 * meanwhile waits, and what came by both ways is left out by its cursor.
 */
import type { Gap } from '../protocol/control.ts';
import { parseCursor } from '../protocol/cursor.ts';
import type { Event } from '../protocol/event.ts';
import type { Status } from './line-state.ts';
import type { Page } from './page.ts';

export interface ReaderObserver {
  event(event: Event): void;
  /** Some events cannot be had. What the gap was is known unless it was here that they were dropped. */
  gap(gap: Gap | undefined): void;
  /** @param code why it is refused */
  status(status: Status, code: string | undefined): void;
  /** The ticket ends. @param at RFC 3339 */
  expiring(at: string): void;
  /** All that was before is told. */
  settled(): void;
}

export interface Reader {
  readonly topic: string;
  readonly observer: ReaderObserver;
  /** Whether pages are to be read. */
  pending(): boolean;
  /** Where the next page begins, as parameters. */
  start(): Readonly<Record<string, string>>;
  /** It leaves its line, and will have to catch up on the next. */
  pause(): void;
  /** Takes an event from the line. */
  take(event: Event): void;
  /** Takes a gap from the line. */
  takeGap(gap: Gap): void;
  /** Takes a page, and when it is the last, all that waited for it. */
  takePage(page: Page): void;
}

/** The most events that wait while pages are read; the oldest give way, which counts as a gap. */
const MAX_EARLY = 1000;

/**
 * @param history how many of the newest events it begins with, 0 to 1000
 * @param newestOnly whether after a gap it begins anew, instead of going on with what there is
 */
export function createReader(topic: string, history: number, newestOnly: boolean, observer: ReaderObserver): Reader {
  /** The last event or page. */
  let position: string | undefined;
  /** What came down the line before the pages were read; `undefined` once they are. */
  let early: Event[] | undefined = [];
  let isOverrun = false;

  function pause(): void {
    early = [];
    isOverrun = false;
  }

  function tell(event: Event): void {
    const { id } = event;
    if (id !== undefined) {
      if (isRepeated(id, position)) return;
      position = id;
    }
    observer.event(event);
  }

  function miss(gap?: Gap): void {
    // The log may have been set back, so that nothing can be told from the place that was.
    position = undefined;
    if (newestOnly) pause();
    observer.gap(gap);
  }

  return {
    topic,
    observer,
    pause,
    pending: () => early !== undefined,
    start: (): Readonly<Record<string, string>> =>
      position === undefined ? { last: `${history}` } : { after: position },
    take(event) {
      if (early === undefined) tell(event);
      else if (early.push(event) > MAX_EARLY) isOverrun = early.shift() !== undefined;
    },
    takeGap(gap) {
      // Pages that are still to be read will tell of it.
      if (early === undefined) miss(gap);
    },
    takePage({ events, cursor, more, gap }) {
      if (gap !== undefined) {
        miss(gap);
        if (newestOnly) return;
      }
      for (const event of events) tell(event);
      position = cursor;
      if (more) return;
      const waiting = early ?? [];
      early = undefined;
      if (isOverrun) miss();
      isOverrun = false;
      for (const event of waiting) tell(event);
      observer.settled();
    },
  };
}

function isRepeated(id: string, position = ''): boolean {
  const at = parseCursor(id);
  const has = parseCursor(position);
  return at !== undefined && has !== undefined && at.epoch === has.epoch && at.seq <= has.seq;
}
