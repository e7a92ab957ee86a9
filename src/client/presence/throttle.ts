/** Sends the newest of many values, not more often than every so many ms. */

export interface Throttle<Value> {
  /** Now, if enough time has passed; else when it has, unless a newer value comes. */
  send(value: Value): void;
  /** Forgets what waits. */
  cancel(): void;
}

export function createThrottle<Value>(
  every: number,
  clock: () => number,
  out: (value: Value) => unknown,
): Throttle<Value> {
  let last = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function cancel(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    cancel,
    send(value) {
      cancel();
      timer = setTimeout(
        () => {
          timer = undefined;
          last = clock();
          out(value);
        },
        Math.max(0, last + every - clock()),
      );
    },
  };
}
