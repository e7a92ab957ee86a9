/**
 * The leases that streams of this node keep alive.
 *
 * Which leases a stream has is the store's to know: here is only which streams may have some, and when they are due. They are renewed
 * in a third of their ttl, many streams in one statement, whose answer says what there was to renew; a stream without a lease is looked
 * after no more. When a stream ends, its leases are freed from it and live on for a grace, so that a reader who comes back at once
 * has never left. A node that dies says nothing, and its leases end when their ttl does.
 *
 * Bounds: {@link MAX_ENDED} ends wait while the store is away; the leases of those beyond end when their ttl does.
 */
import type { BoundLease, EndedStream, PresenceStore } from '../store/presence-store.ts';
import { StoreUnavailable } from '../store/store.ts';

/** How long the leases of a stream outlive it, in ms. */
export const GRACE_MS = 5000;
/** And of a stream that ended because its node goes: its readers are asked to come back within about ten seconds. */
export const DRAIN_GRACE_MS = 15_000;

const MAX_ENDED = 100_000;
/** Streams of one statement. */
const BATCH = 1000;
/** A stream that was bound is looked at so soon; and those that are due within so much go along, in ms. */
const FIRST_MS = 1000;
const TOGETHER_MS = 500;
/** How long what ends waits for others, and how long to wait when the store is away, in ms. */
const GATHER_MS = 10;
const RETRY_MS = 250;
/**
 * How long before the end of a stream a sign of life counts as one after it, in ms: more than the end takes to be told to the store. Who
 * renews just after it is then never cut short; the lease of who joins just before it may live for its ttl instead of the grace.
 */
const MARGIN_MS = 50;

interface Bound {
  due: number;
  /** When a lease was last bound to it. */
  since: number;
  /** When its leases were last known to be renewed from here. */
  kept: number;
  /** Says of which topics leases may go on, when the stream came under another token; absent: of all. */
  covers: ((topic: string) => boolean) | undefined;
}

interface Ended {
  /** Up to when a sign of life was that of the stream. */
  since: number;
  /** When the grace does. */
  readonly until: number;
}

export interface StreamLeasesOptions {
  readonly store: Pick<PresenceStore, 'keepAlive' | 'release'>;
  /** Told of leases that are covered no more. */
  readonly onUncovered: (lease: BoundLease) => Promise<void>;
  /** Told when leases were freed that end after so many ms. */
  readonly onReleased: (ms: number) => void;
  readonly onAway: () => void;
  readonly onFault: (error: unknown) => void;
  /** ms of a clock that does not jump */
  readonly now?: () => number;
}

export class StreamLeases {
  readonly #options: StreamLeasesOptions;
  readonly #now: () => number;
  readonly #bound = new Map<string, Bound>();
  /** Streams that have ended. */
  readonly #ended = new Map<string, Ended>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(options: StreamLeasesOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Streams that keep leases alive. */
  get size(): number {
    return this.#bound.size;
  }

  /** A lease is bound to a stream, or is about to be. */
  bind(stream: string): void {
    const since = this.#now();
    const known = this.#bound.get(stream);
    const due = Math.min(known?.due ?? Number.POSITIVE_INFINITY, since + FIRST_MS);
    this.#bound.set(stream, { due, since, kept: known?.kept ?? 0, covers: known?.covers });
    this.#plan(FIRST_MS);
  }

  /** The stream has come under another token: leases that it does not cover are not kept. */
  renewed(stream: string, covers: (topic: string) => boolean): void {
    const bound = this.#bound.get(stream);
    if (bound === undefined) return;
    bound.covers = covers;
    bound.due = this.#now();
    this.#plan(0);
  }

  /** The stream has ended, if it had any leases here. */
  ended(stream: string, graceMs: number): void {
    const bound = this.#bound.get(stream);
    if (!this.#bound.delete(stream)) return;
    this.#end(stream, graceMs, Math.max(this.#now() - MARGIN_MS, bound?.kept ?? 0));
  }

  /** Lets the leases of a stream go, which had ended when they were bound to it. */
  release(stream: string, graceMs: number): void {
    this.#end(stream, graceMs, this.#now());
  }

  /** Tells the store of the streams that have ended, if it is there, and does nothing more after that. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#at = Number.NEGATIVE_INFINITY;
    await this.#running;
    this.#bound.clear();
    await this.#work();
    this.#ended.clear();
  }

  #end(stream: string, graceMs: number, since: number): void {
    if (this.#ended.size >= MAX_ENDED) return;
    this.#ended.set(stream, { since, until: this.#now() + graceMs });
    this.#plan(GATHER_MS);
  }

  #plan(milliseconds: number): void {
    const at = this.#now() + milliseconds;
    if (at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => {
      // One run at a time: what comes meanwhile is seen at its end.
      if (this.#running !== undefined) return;
      this.#running = this.#work().finally(() => {
        this.#running = undefined;
        if (this.#at === Number.NEGATIVE_INFINITY) return;
        this.#at = Number.POSITIVE_INFINITY;
        this.#planNext();
      });
    }, milliseconds);
  }

  #planNext(): void {
    let soonest = this.#ended.size > 0 ? this.#now() + RETRY_MS : Number.POSITIVE_INFINITY;
    for (const { due } of this.#bound.values()) soonest = Math.min(soonest, due);
    if (soonest < Number.POSITIVE_INFINITY) this.#plan(Math.max(GATHER_MS, soonest - this.#now()));
  }

  async #work(): Promise<void> {
    try {
      // First what ends: the sooner it is told, the shorter does it seem to be there.
      while (this.#ended.size > 0) await this.#releaseSome();
      const before = this.#now() + TOGETHER_MS;
      const due = [...this.#bound].filter(([, bound]) => bound.due <= before).map(([stream]) => stream);
      for (let start = 0; start < due.length; start += BATCH) await this.#keepSome(due.slice(start, start + BATCH));
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#options.onAway();
      else this.#options.onFault(error);
      const later = this.#now() + RETRY_MS;
      for (const bound of this.#bound.values()) bound.due = Math.max(bound.due, later);
    }
  }

  async #releaseSome(): Promise<void> {
    const now = this.#now();
    const some = [...this.#ended].slice(0, BATCH);
    const streams = some.map(
      ([stream, { since, until }]): EndedStream => ({
        stream,
        // The store's clock has whole milliseconds: what was renewed in the one of the end was renewed before it.
        agoMs: Math.floor(now - since),
        graceMs: Math.max(0, Math.ceil(until - now)),
      }),
    );
    await this.#options.store.release(streams);
    for (const [stream, ended] of some) if (this.#ended.get(stream) === ended) this.#ended.delete(stream);
    this.#options.onReleased(Math.min(...streams.map(({ graceMs }) => graceMs)));
  }

  async #keepSome(streams: readonly string[]): Promise<void> {
    const asked = this.#now();
    const kept = await this.#options.store.keepAlive(streams);
    const answered = this.#now();
    for (const stream of streams) {
      const bound = this.#bound.get(stream);
      const ended = this.#ended.get(stream);
      if (bound !== undefined) bound.kept = answered;
      // It ended while this was under way.
      if (ended !== undefined) ended.since = answered;
    }
    const ttls = new Map<string, number>();
    for (const lease of kept) {
      const { stream, ttlMs, topic } = lease;
      if (this.#bound.get(stream)?.covers?.(topic) === false) await this.#options.onUncovered(lease);
      else ttls.set(stream, Math.min(ttlMs, ttls.get(stream) ?? ttlMs));
    }
    for (const stream of streams) {
      const bound = this.#bound.get(stream);
      const ttl = ttls.get(stream);
      if (bound === undefined) continue;
      bound.covers = undefined;
      // A lease that is about to be bound is not there yet: its stream is bound again when it is.
      if (ttl === undefined && bound.since < asked) this.#bound.delete(stream);
      else bound.due = asked + (ttl === undefined ? FIRST_MS : ttl / 3);
    }
  }
}
