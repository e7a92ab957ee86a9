/** A wait that can be cut short, so that nothing is left behind when its owner ends. */
export class Pause {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #resolve: (() => void) | undefined;

  /** Resolves after so many milliseconds, or at {@link end}. One wait at a time: a new one ends the one before it. */
  wait(milliseconds: number): Promise<void> {
    this.end();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer = setTimeout(() => this.end(), milliseconds);
    });
  }

  /** Ends the wait that is under way, if there is one. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#resolve?.();
    this.#resolve = undefined;
  }
}
