/**
 * Sweeping: having the store end what has expired, when it is due.
 *
 * Every node that has to do with presence sweeps, so that no member stays because one node has gone. None asks the store without need:
 * each answer of the store says when the first lease ends, and until then there is nothing to do. Where there is no lease, there
 * is no timer.
 *
 * **Patience.** Streams keep their leases alive from their nodes. When the store was away, those could not say so, and for all of them
 * the time may be up. So a node that could not reach the store, or has only begun, leaves the others {@link PATIENCE_MS} to say it before
 * it sweeps.
 */
import type { Due, PresenceStore } from '../store/presence-store.ts';
import { StoreUnavailable } from '../store/store.ts';

/** How long a node waits before it sweeps when the store was away, in ms: longer than it takes the nodes to try again. */
export const PATIENCE_MS = 2000;
/** How long after the moment that is due, so that it has come by the store's clock too; and between sweeps, in ms. */
const AFTER_MS = 5;
const PAUSE_MS = 50;
/** How long to wait before trying to reach the store again, in ms. */
const RETRY_MS = 250;

export interface SweepOptions {
  readonly store: Pick<PresenceStore, 'sweep' | 'heads'>;
  /** Told of topics whose members have left, with their revisions. */
  readonly onSwept: (heads: readonly (readonly [topic: string, revision: number])[]) => void;
  readonly onFault: (error: unknown) => void;
  /** ms of a clock that does not jump */
  readonly now?: () => number;
}

export class Sweep {
  readonly #options: SweepOptions;
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer is due, and before when nothing is swept. */
  #at = Number.POSITIVE_INFINITY;
  #notBefore: number;
  #isAway = false;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#notBefore = this.#now() + PATIENCE_MS;
  }

  /** Learns when the first lease ends. */
  plan({ due }: Due): void {
    if (due !== undefined) this.#schedule(due + AFTER_MS);
  }

  /** Learns that the store could not be reached. */
  lostSight(): void {
    this.#isAway = true;
    this.#schedule(RETRY_MS);
  }

  /** Resolves when no sweep is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(milliseconds: number): void {
    const at = Math.max(this.#now() + milliseconds, this.#notBefore);
    if (this.#stopped || at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(
      () => {
        this.#at = Number.POSITIVE_INFINITY;
        this.#running = this.#runAfter(this.#running);
      },
      Math.max(0, at - this.#now()),
    );
  }

  async #runAfter(before: Promise<void> | undefined): Promise<void> {
    await before;
    const due = await this.#run();
    this.#notBefore = Math.max(this.#notBefore, this.#now() + PAUSE_MS);
    this.plan({ due });
  }

  /** @returns ms until the next is due */
  async #run(): Promise<number | undefined> {
    const { store, onSwept, onFault } = this.#options;
    try {
      if (this.#isAway) {
        const { due } = await store.heads([]);
        this.#isAway = false;
        this.#notBefore = this.#now() + PATIENCE_MS;
        return due;
      }
      const { heads, due } = await store.sweep();
      if (heads.length > 0) onSwept(heads);
      return due;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) onFault(error);
      this.#isAway = true;
      return RETRY_MS;
    }
  }
}
