/**
 * Gathering events into batches between a source that gives and a server that takes, each at its own pace.
 *
 * A batch is due when it is full, when its oldest event has waited long enough, or when no more will come. What waits is
 * bounded: after `add` the source is asked to wait for {@link Batches.space}, so at most two batches and one piece of the
 * source are held.
 */

export interface BatchLimits {
  readonly events: number;
  readonly bytes: number;
  /** The longest that an event waits for others, in milliseconds. */
  readonly lingerMs: number;
}

export const BATCH_LIMITS: BatchLimits = { events: 500, bytes: 512 * 1024, lingerMs: 200 };

export interface Batch {
  /** Events as JSON, one line each. */
  readonly bodies: readonly string[];
  /** The number of its first event in the whole input, from 1. */
  readonly first: number;
}

export interface Batches {
  /** Adds events in order. After {@link end} it does nothing. */
  add(bodies: readonly string[]): void;
  /** Resolves when there is space for more, or no need for any. */
  space(): Promise<void>;
  /** Says that no more will come. */
  end(): void;
  /** The next batch when one is due; `undefined` after the last. One caller at a time. */
  next(): Promise<Batch | undefined>;
  /** How many events wait. */
  readonly waiting: number;
}

interface Waiting {
  readonly body: string;
  readonly bytes: number;
  readonly at: number;
}

/** `now` is in milliseconds. */
export function createBatches(now: () => number, limits: BatchLimits = BATCH_LIMITS): Batches {
  let queue: Waiting[] = [];
  let bytes = 0;
  let first = 1;
  let ended = false;
  let changed: (() => void) | undefined;
  let spaceMade: (() => void) | undefined;

  const overflowing = () => queue.length >= 2 * limits.events || bytes >= 2 * limits.bytes;

  function take(): Batch {
    let count = 0;
    let size = 0;
    // An event that is larger than a whole batch goes alone.
    for (const each of queue) {
      if (count > 0 && (count === limits.events || size + each.bytes > limits.bytes)) break;
      count += 1;
      size += each.bytes;
    }
    const batch = { bodies: queue.slice(0, count).map((each) => each.body), first };
    queue = queue.slice(count);
    bytes -= size;
    first += count;
    if (!overflowing()) spaceMade?.();
    return batch;
  }

  /** Milliseconds until a batch is due: 0 for now, Infinity for when something changes. */
  function dueIn(): number {
    const [oldest] = queue;
    if (oldest === undefined) return Number.POSITIVE_INFINITY;
    if (ended || queue.length >= limits.events || bytes >= limits.bytes) return 0;
    return Math.max(0, oldest.at + limits.lingerMs - now());
  }

  return {
    get waiting() {
      return queue.length;
    },
    add(bodies) {
      if (ended) return;
      const at = now();
      for (const body of bodies) {
        const size = Buffer.byteLength(body) + 1;
        queue.push({ body, bytes: size, at });
        bytes += size;
      }
      changed?.();
    },
    async space() {
      if (ended || !overflowing()) return;
      await new Promise<void>((resolve) => {
        spaceMade = resolve;
      });
    },
    end() {
      ended = true;
      changed?.();
      spaceMade?.();
    },
    async next() {
      for (;;) {
        const wait = dueIn();
        if (wait === 0) return take();
        if (ended) return undefined;
        await new Promise<void>((resolve) => {
          const timer = Number.isFinite(wait) ? setTimeout(resolve, wait) : undefined;
          changed = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        changed = undefined;
      }
    },
  };
}
