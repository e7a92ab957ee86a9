/** That Postgres refuses to answer a view, and when it is asked again: with growing pauses. */
export interface RefusedReadsOptions {
  /** The collection, for whoever reads of it in the log. */
  readonly topic: string;
  readonly onFault: (error: unknown) => void;
  /** It is time to ask again. */
  readonly onDue: () => void;
}

/** Pauses in ms: the first, twice as long each time, and the longest. */
const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

export class RefusedReads {
  readonly #options: RefusedReadsOptions;
  #refused = false;
  #pauseMs = FIRST_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RefusedReadsOptions) {
    this.#options = options;
  }

  /** Whether the last answer was none. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Takes note of an answer. @param reason why it was none; `undefined` for one that was */
  heed(reason: unknown): void {
    clearTimeout(this.#timer);
    if (reason === undefined) {
      this.#refused = false;
      this.#pauseMs = FIRST_MS;
      return;
    }
    const { topic, onFault, onDue } = this.#options;
    if (!this.#refused) onFault(new Error(`the rows of ${topic} cannot be read for a caller`, { cause: reason }));
    this.#refused = true;
    this.#timer = setTimeout(onDue, this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
