/** Tells caches outside of this library which records are not as they were: by a stream of its own, while somebody listens. */
import type { Subscribe, Subscription } from '../subscription.ts';
import { readRecordChange } from './record-change.ts';

export interface Invalidation {
  readonly collection: string;
  /** `undefined`: any of them may have changed. */
  readonly key: string | undefined;
  /** The last that became of it; `missed` when changes may have been missed, or were too many to be named. */
  readonly why: 'insert' | 'update' | 'delete' | 'missed';
}

export interface InvalidationsContext {
  readonly subscribe: Subscribe;
  /** Calls at the end of this turn. */
  readonly schedule: (callback: () => void) => void;
}

/** The most records that are named in one turn. */
const MAX_KEYS = 1000;

export class Invalidations {
  readonly #collection: string;
  readonly #context: InvalidationsContext;
  readonly #listeners = new Set<{ readonly listener: (records: readonly Invalidation[]) => void }>();
  readonly #gathered = new Map<string | undefined, Invalidation>();
  #subscription: Subscription | undefined;

  constructor(collection: string, context: InvalidationsContext) {
    this.#collection = collection;
    this.#context = context;
  }

  /**
   * Tells once a turn what has changed, each record once. The first time, that all may have: what was cached before the stream began may
   * be old.
   */
  listen(listener: (records: readonly Invalidation[]) => void): () => void {
    const entry = { listener };
    this.#listeners.add(entry);
    this.#subscription ??= this.#follow();
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size > 0) return;
      this.#subscription?.close();
      this.#subscription = undefined;
      this.#gathered.clear();
    };
  }

  #follow(): Subscription {
    let isLive = false;
    return this.#context.subscribe(
      this.#collection,
      {},
      {
        onEvent: (event) => {
          const change = readRecordChange(event);
          if (change !== undefined) this.#add(change.key, change.kind);
        },
        onGap: () => this.#add(undefined, 'missed'),
        onState: ({ kind }) => {
          if (kind !== 'live' || isLive) return;
          isLive = true;
          this.#add(undefined, 'missed');
        },
      },
    );
  }

  #add(key: string | undefined, why: Invalidation['why']): void {
    if (this.#gathered.size === 0) this.#context.schedule(() => this.#tell());
    if (key === undefined || this.#gathered.size >= MAX_KEYS) {
      this.#gathered.clear();
      this.#gathered.set(undefined, { collection: this.#collection, key: undefined, why: 'missed' });
    } else if (!this.#gathered.has(undefined)) this.#gathered.set(key, { collection: this.#collection, key, why });
  }

  #tell(): void {
    const records = [...this.#gathered.values()];
    this.#gathered.clear();
    if (records.length > 0) for (const { listener } of [...this.#listeners]) listener(records);
  }
}
