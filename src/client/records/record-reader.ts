/** Reads records that the stream did not tell whole, or not at all, one after the other. */

export interface RecordReaderOptions {
  /** Reads one. @returns takes what was read; `undefined` when it must be tried again */
  readonly read: (key: string) => Promise<(() => void) | undefined>;
  /** In ms. @param attempt how many have failed: from 0 */
  readonly retryDelay: (attempt: number) => number;
  readonly delay: (callback: () => void, ms: number) => () => void;
}

export class RecordReader {
  readonly #options: RecordReaderOptions;
  /** What is to be read, with a mark: another one when it is asked for again. */
  readonly #wanted = new Map<string, number>();
  #marks = 0;
  #isReading = false;
  #attempt = 0;
  #isClosed = false;
  #cancel: (() => void) | undefined;

  constructor(options: RecordReaderOptions) {
    this.#options = options;
  }

  /** How many are to be read. */
  get size(): number {
    return this.#wanted.size;
  }

  /** Reads a record from now on: an answer that is on its way already does not count. */
  want(key: string): void {
    this.#marks += 1;
    this.#wanted.set(key, this.#marks);
    if (!this.#isReading) void this.#read();
  }

  /** The record is gone: what is read of it was so before. */
  forget(key: string): void {
    this.#wanted.delete(key);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  async #read(): Promise<void> {
    const { read, delay, retryDelay } = this.#options;
    this.#isReading = true;
    for (let [next] = this.#wanted; next !== undefined; [next] = this.#wanted) {
      const [key, mark] = next;
      const take = await read(key);
      if (this.#isClosed) return;
      if (take === undefined) {
        this.#cancel = delay(() => void this.#read(), retryDelay(this.#attempt));
        this.#attempt += 1;
        return;
      }
      this.#attempt = 0;
      const now = this.#wanted.get(key);
      if (now !== undefined) take();
      if (now === mark) this.#wanted.delete(key);
    }
    this.#isReading = false;
  }
}
