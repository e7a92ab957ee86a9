/**
 * The floor of the outbox: all changes up to this id are gone, so that a look begins behind it.
 *
 * Without it every look would step over the dead entries that moved changes leave in the index, and as long as somebody holds an
 * old snapshot, nothing removes those. But ids say nothing about commits: a low one may become visible late. So a *mark* is
 * taken: the last id that was given out, and after it the next transaction's number. Whoever was given such an id has a
 * lower number (the number is taken before the id). Once a snapshot knows no running transaction up to the mark's number, every change up
 * to the mark's id is visible in it or will never be; and when those are moved, the mark's id is the floor.
 *
 * A writer that stays in its transaction for minutes would hold the floor that long. So when a mark has waited for a second, the floor is
 * also *skipped*: looks begin at the mark's id, and the transactions that are still running below the mark's number are remembered. When one of
 * them has ended, there may be something to find above the floor, and that look is made again from there.
 */
import type { Database } from '../store/postgres/database.ts';

// The tuple is read before the number is taken.
const MARK = `
  SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS id, pg_current_xact_id()::text::bigint AS xid
  FROM sluice.changes_id_seq`;

/** Changes that were moved, and ms that went by, before a new mark is worth its statement. */
const MARK_CHANGES = 200;
const MARK_MS = 250;
/** How long a mark waits for the transactions below it before they are skipped, in ms. */
const SKIP_MS = 1000;

interface Mark {
  readonly id: number;
  readonly xid: number;
}

/** Changes up to `id` that are not gone belong to transactions in `running`. */
interface Skip {
  readonly id: number;
  readonly running: readonly number[];
}

export class OutboxFloor {
  readonly #database: Database;
  readonly #clock: () => number;
  #value = 0;
  #mark: Mark | undefined;
  #skip: Skip | undefined;
  #moved = 0;
  #marked = Number.NEGATIVE_INFINITY;

  constructor(database: Database, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Forgets what it knows: what comes next may be another database, or other captures. */
  reset(): void {
    this.#value = 0;
    this.#mark = undefined;
    this.#skip = undefined;
    this.#moved = 0;
  }

  /**
   * Looks at the outbox from as far on as it is safe.
   * @param ask looks at changes with ids greater than the one given, and answers with the snapshot that it looked in, as Postgres writes it
   */
  async look<Seen extends { readonly snapshot: string }>(ask: (from: number) => Promise<Seen>): Promise<Seen> {
    // What is learned while the answer is on its way says nothing about the snapshot that it was given in.
    const value = this.#value;
    const skip = this.#skip;
    const seen = await ask(skip?.id ?? value);
    if (skip === undefined) return seen;
    const isRunning = runningIn(parseSnapshot(seen.snapshot));
    return skip.running.every(isRunning) ? seen : ask(value);
  }

  /**
   * Takes over that a {@link look} found nothing more up to `limit`, or that what it found there is moved and committed.
   * @param text the snapshot of the look
   */
  passed(text: string, limit: number): void {
    const snapshot = parseSnapshot(text);
    const isRunning = runningIn(snapshot);
    const mark = this.#mark;
    if (mark !== undefined && snapshot.xmin > mark.xid) {
      this.#value = Math.max(this.#value, Math.min(mark.id, limit));
      if (limit < mark.id) return;
      this.#mark = undefined;
      this.#skip = undefined;
    } else if (
      mark !== undefined &&
      snapshot.xmax > mark.xid &&
      limit >= mark.id &&
      this.#clock() - this.#marked >= SKIP_MS
    ) {
      const running = snapshot.xip.filter((xid) => xid < mark.xid);
      this.#skip = { id: mark.id, running };
      this.#mark = undefined;
    } else if (this.#skip !== undefined && limit >= this.#skip.id) {
      this.#skip = { id: this.#skip.id, running: this.#skip.running.filter(isRunning) };
    }
  }

  /** Counts changes that were moved. */
  moved(changes: number): void {
    this.#moved += changes;
  }

  /**
   * Takes a mark if it is worth it: when enough was moved, or where others move, when so much time went by.
   * @throws StoreUnavailable
   */
  async mark({ atMostEveryMs }: { readonly atMostEveryMs?: number } = {}): Promise<void> {
    if (this.#mark !== undefined) return;
    const since = this.#clock() - this.#marked;
    const isDue =
      atMostEveryMs === undefined
        ? this.#moved >= MARK_CHANGES || (this.#moved > 0 && since >= MARK_MS)
        : since >= atMostEveryMs;
    if (!isDue) return;
    this.#marked = this.#clock();
    this.#moved = 0;
    const [mark] = await this.#database.query<Mark>(MARK);
    // A sequence that stands lower than before belongs to another life of the database.
    if (mark !== undefined && mark.id < this.#value) this.reset();
    else this.#mark = mark;
  }
}

interface Snapshot {
  /** All lower numbers have ended. */
  readonly xmin: number;
  /** No number from here on had ended. */
  readonly xmax: number;
  /** Between the two, those that were running. */
  readonly xip: readonly number[];
}

/** Reads a `pg_snapshot`: `xmin:xmax:xip,…`. */
function parseSnapshot(text: string): Snapshot {
  const [xmin, xmax, xip = ''] = text.split(':');
  return { xmin: Number(xmin), xmax: Number(xmax), xip: xip === '' ? [] : xip.split(',').map(Number) };
}

function runningIn({ xmax, xip }: Snapshot): (xid: number) => boolean {
  const running = new Set(xip);
  return (xid) => xid >= xmax || running.has(xid);
}
