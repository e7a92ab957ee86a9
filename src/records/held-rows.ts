/**
 * What the readers of a view hold, and how far that is ahead of the log.
 *
 * A row is read when an event says that it changed, and may have changed again by then: the readers were told more than the log
 * says up to that event. Such a row is **early**, until the log has caught up with what was read. Whoever comes with a cursor from
 * before that moment does not hold what the others do, and must be told of the early rows too.
 */
import type { LogEvent } from '../protocol/event-batch.ts';

export interface HeldRow {
  readonly key: string;
  /** Begins with the row's version and a space; equal for equal rows. */
  readonly token: string;
}

/** What the log was like when rows were read. */
export interface ReadMoment {
  /** The seq of its newest event. */
  readonly latest: number;
  /** Whether it said all: no change was on its way to it. */
  readonly exact: boolean;
}

/** What became of a row. Of one that has left: the version that was held. */
export type Difference = { readonly kind: 'insert' | 'update' } | { readonly kind: 'delete'; readonly version: number };

interface EarlyRow {
  /** The event for which the row was read. */
  readonly event: LogEvent;
  /** From here on the log says what was read; `undefined` while that is not known. */
  readonly until: number | undefined;
  /** `until` is not less. */
  readonly least: number;
}

/** Keys that have left are remembered so many at most: to the readers they were no secret. And early rows. */
const MAX_LEFT = 100_000;
const MAX_EARLY = 20_000;

export class HeldRows {
  #held = new Map<string, string>();
  readonly #left = new Set<string>();
  readonly #early = new Map<string, EarlyRow>();
  /** Early rows of before this seq were forgotten. */
  #forgotten = 0;

  /** The token of each row that is held, by key. */
  get all(): ReadonlyMap<string, string> {
    return this.#held;
  }

  /** Whether the readers hold the row, or held it lately. */
  knows(key: string): boolean {
    return this.#held.has(key) || this.#left.has(key);
  }

  /** Begins again with what was read at an exact moment. @param rows the token of each, by key */
  reset(rows: ReadonlyMap<string, string>): void {
    this.#held = new Map(rows);
    this.#early.clear();
  }

  /** The log says all that is held: nothing is early. */
  settle(): void {
    this.#early.clear();
  }

  /** What differs in `rows`, tokens by key, from what is held: the keys of those that are there, and of those that are gone. */
  differingFrom(rows: ReadonlyMap<string, string>): DifferingKeys {
    return differingKeys(this.#held, rows);
  }

  /** What a holder of `rows` must be told to hold the same. */
  lackingIn(rows: ReadonlyMap<string, string>): DifferingKeys {
    return differingKeys(rows, this.#held);
  }

  /**
   * Takes over what a row is now.
   * @param row `undefined` when it is not seen
   * @returns what the readers must be told, `undefined` for nothing; of a row that has left, the version that they hold
   */
  take(key: string, row: HeldRow | undefined): Difference | undefined {
    const token = this.#held.get(key);
    if (row !== undefined) {
      if (token === row.token) return undefined;
      this.#held.set(key, row.token);
      return { kind: token === undefined ? 'insert' : 'update' };
    }
    if (token === undefined) return undefined;
    this.#held.delete(key);
    remember(this.#left, key);
    return { kind: 'delete', version: versionOf(token) };
  }

  /**
   * Notes that rows were read for these events, at a moment at which the view was at `position`.
   * @param least the seq of which readers must come from to be sure to have been told
   */
  noteRead(events: Iterable<LogEvent>, position: number, { latest, exact }: ReadMoment, least = 0): void {
    if (exact)
      for (const [key, early] of this.#early)
        if (early.until === undefined) this.#early.set(key, { ...early, until: Math.max(latest, early.least) });
    const until = exact ? Math.max(latest, least) : undefined;
    for (const event of events) {
      if (event.key === undefined) continue;
      this.#early.delete(event.key);
      if (until === undefined || until > position) this.#early.set(event.key, { event, until, least });
    }
    for (const [key, { until }] of this.#early) {
      if (this.#early.size <= MAX_EARLY) break;
      this.#early.delete(key);
      this.#forgotten = Math.max(this.#forgotten, until ?? Number.POSITIVE_INFINITY);
    }
  }

  /**
   * The events of rows of which a reader who comes from `seq` may hold something else than the others.
   * @returns `undefined` when it is not known any more which
   */
  earlyAt(seq: number): readonly LogEvent[] | undefined {
    if (seq < this.#forgotten) return undefined;
    const events: LogEvent[] = [];
    for (const { event, until } of this.#early.values())
      if (event.seq <= seq && (until === undefined || seq < until)) events.push(event);
    return events;
  }
}

/** The version that a token tells. */
export function versionOf(token: string): number {
  return Number(token.split(' ', 1)[0]);
}

interface DifferingKeys {
  readonly keys: readonly string[];
  readonly gone: readonly string[];
}

function differingKeys(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): DifferingKeys {
  return {
    keys: [...after].filter(([key, token]) => before.get(key) !== token).map(([key]) => key),
    gone: [...before.keys()].filter((key) => !after.has(key)),
  };
}

function remember(keys: Set<string>, key: string): void {
  keys.add(key);
  if (keys.size <= MAX_LEFT) return;
  for (const oldest of keys) {
    keys.delete(oldest);
    return;
  }
}
