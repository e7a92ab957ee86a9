/** The rests of a relay between its looks. A kick ends the one under way, or if there is none, the next. */
export class RelayRest {
  #kicked = false;
  #ended = false;
  #wake: (() => void) | undefined;

  /** Whether it was kicked, and has not looked since. */
  get kicked(): boolean {
    return this.#kicked;
  }

  /** Lets rests last again, after {@link end}. */
  begin(): void {
    this.#ended = false;
  }

  /** Rests for so many milliseconds, or until {@link kick} or {@link end}. One rest at a time. */
  async light(ms: number): Promise<void> {
    if (ms > 0 && !this.#kicked) await this.#rest(ms, () => true);
    this.#kicked = false;
  }

  /** Rests for so many milliseconds, or until {@link end}. */
  deep(ms: number): Promise<void> {
    return this.#rest(ms, () => this.#ended);
  }

  kick(): void {
    this.#kicked = true;
    this.#wake?.();
  }

  /** Ends the rest under way, and all that come, until {@link begin}. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async #rest(ms: number, isWoken: () => boolean): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!isWoken()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
