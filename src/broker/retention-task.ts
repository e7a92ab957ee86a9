/** The background task that lets go of what retention allows, and compacts what is to be compacted. */
import { formatCursor } from '../protocol/cursor.ts';
import { type LogStore, type Retention, StoreUnavailable } from '../store/store.ts';

export interface RetentionTaskOptions {
  readonly log: LogStore;
  readonly clock: () => number;
  readonly retention: (topic: string) => Retention;
  /** Which topics keep only the newest event of each key; absent: none. */
  readonly compact: ((topic: string) => boolean) | undefined;
  /** What else is to be let go of in every run. */
  readonly pruneAlso?: () => Promise<void>;
  readonly onPruned: (events: number) => void;
  readonly onFault: (error: unknown) => void;
  /** Pause between runs, in ms: a minute unless told. */
  readonly intervalMs?: number;
}

export interface RetentionTask {
  start(): void;
  /** One run, now. Resolves when it is over; a log that is away ends it early, and the next run goes on. */
  run(): Promise<void>;
  /** Resolves when no run is under way any more. */
  stop(): Promise<void>;
}

/** Topics looked at for compaction in one step. */
const PAGE = 500;

export function createRetentionTask(options: RetentionTaskOptions): RetentionTask {
  const { log, clock, intervalMs = 60_000 } = options;
  /** How far each topic was compacted, so that a topic at rest is not read again. Made anew in each run of the topics there are. */
  let compacted = new Map<string, string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  async function once(): Promise<void> {
    try {
      options.onPruned(await log.prune(options.retention, clock()));
      await options.pruneAlso?.();
      if (options.compact !== undefined) await compactAll(options.compact);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) options.onFault(error);
    }
  }

  async function compactAll(chosen: (topic: string) => boolean): Promise<void> {
    const done = new Map<string, string>();
    for (let after = ''; ; ) {
      const topics = await log.topics({ after, limit: PAGE });
      for (const { topic, epoch, latest } of topics) {
        if (stopped) return;
        if (!chosen(topic)) continue;
        const at = formatCursor({ epoch, seq: latest });
        if (compacted.get(topic) === at || (await compactOne(topic, latest))) done.set(topic, at);
      }
      const last = topics.at(-1);
      if (last === undefined || topics.length < PAGE) break;
      after = last.topic;
    }
    compacted = done;
  }

  /** A fault of one topic leaves the others their turn. @returns whether it was compacted */
  async function compactOne(topic: string, upTo: number): Promise<boolean> {
    try {
      options.onPruned(await log.compact(topic, upTo));
      return true;
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      options.onFault(error);
      return false;
    }
  }

  function run(): Promise<void> {
    running ??= once().finally(() => {
      running = undefined;
    });
    return running;
  }

  function plan(): void {
    // Nodes that started together should not prune together.
    const delay = intervalMs * (0.75 + Math.random() / 2);
    timer = setTimeout(() => void run().finally(() => stopped || plan()), delay);
  }

  return {
    start: plan,
    run,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
