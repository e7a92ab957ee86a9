/**
 * Group commit: while one transaction is in flight, the appends that come gather, and the next transaction takes them all.
 *
 * An idle lane commits at once, so light load pays no delay; under load the cost of a commit is shared. A topic always falls
 * into the same lane, so this process never waits for itself on a topic's row lock, and appends to one topic keep their
 * order of arrival.
 *
 * Limits: a commit takes at most `maxEvents` and `maxBytes` (a single larger append goes alone); a lane holds at most
 * `maxWaitingBytes`, beyond which appends are refused at once; an append that has no answer after `timeoutMs` is told so,
 * although its transaction may still succeed.
 */
import { idempotencyName } from './idempotency.ts';
import { type Append, type Appended, StoreUnavailable } from './store.ts';

export interface GroupCommitOptions {
  /** Commits appends in one transaction and answers in their order. No two of them share an idempotency key. */
  readonly commit: (appends: readonly Append[]) => Promise<readonly Appended[]>;
  /** How many transactions may be in flight at once. */
  readonly lanes: number;
  /** Defers the start of an idle lane's commit, so that what arrives in the same turn of the event loop goes along. */
  readonly schedule: (start: () => void) => void;
  readonly clock: () => number;
  readonly maxEvents?: number;
  readonly maxBytes?: number;
  readonly maxWaitingBytes?: number;
  readonly timeoutMs?: number;
  /** Told after every commit, for the metrics. */
  readonly onCommit?: (appends: number, milliseconds: number) => void;
}

export interface GroupCommit {
  append(append: Append): Promise<Appended>;
}

interface Waiting {
  readonly append: Append;
  readonly bytes: number;
  readonly since: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (reason: unknown) => void;
}

const WATCH_MS = 250;

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const lanes = Array.from({ length: options.lanes }, () => new Lane(options));
  return {
    append(append) {
      const lane = lanes[options.lanes === 1 ? 0 : laneOf(append.topic, options.lanes)];
      if (lane === undefined) throw new RangeError('group commit needs at least one lane');
      return lane.append(append);
    },
  };
}

class Lane {
  readonly #options: GroupCommitOptions;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #maxWaitingBytes: number;
  readonly #timeoutMs: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #inFlight: readonly Waiting[] = [];
  #running = false;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#maxEvents = options.maxEvents ?? 2000;
    this.#maxBytes = options.maxBytes ?? 1024 * 1024;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? 32 * 1024 * 1024;
    this.#timeoutMs = options.timeoutMs ?? 5000;
  }

  append(append: Append): Promise<Appended> {
    let bytes = 0;
    for (const body of append.bodies) bytes += body.length;
    if (this.#waitingBytes + bytes > this.#maxWaitingBytes && this.#waiting.length > 0) {
      return Promise.reject(new StoreUnavailable('too much is waiting to be appended'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ append, bytes, since: this.#options.clock(), resolve, reject });
      this.#waitingBytes += bytes;
      this.#watch ??= setInterval(() => this.#expire(), WATCH_MS);
      if (!this.#running) {
        this.#running = true;
        this.#options.schedule(() => void this.#run());
      }
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#take();
      this.#inFlight = group;
      const begun = this.#options.clock();
      try {
        this.#settle(group, await this.#options.commit(group.map(({ append }) => append)));
      } catch (error) {
        // A fault of one append must not take its neighbours along; a medium that is away fails them all.
        if (group.length > 1 && !(error instanceof StoreUnavailable)) await this.#commitEach(group);
        else for (const { reject } of group) reject(error);
      }
      this.#options.onCommit?.(group.length, this.#options.clock() - begun);
    }
    this.#inFlight = [];
    this.#running = false;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  async #commitEach(group: readonly Waiting[]): Promise<void> {
    for (const waiting of group) {
      try {
        this.#settle([waiting], await this.#options.commit([waiting.append]));
      } catch (error) {
        waiting.reject(error);
      }
    }
  }

  #settle(group: readonly Waiting[], answers: readonly Appended[]): void {
    group.forEach(({ resolve, reject }, index) => {
      const answer = answers[index];
      if (answer === undefined) reject(new Error('a commit gave too few answers'));
      else resolve(answer);
    });
  }

  /** Takes the next group in order of arrival. A second use of a key in one group waits for the next. */
  #take(): readonly Waiting[] {
    const group: Waiting[] = [];
    const left: Waiting[] = [];
    const keys = new Set<string>();
    const held = new Set<string>();
    let events = 0;
    let bytes = 0;
    let full = false;
    for (const waiting of this.#waiting) {
      const { append } = waiting;
      full ||=
        group.length > 0 && (events + append.bodies.length > this.#maxEvents || bytes + waiting.bytes > this.#maxBytes);
      const key = append.idempotency === undefined ? undefined : idempotencyName(append.idempotency);
      if (full || held.has(append.topic) || (key !== undefined && keys.has(key))) {
        // What follows on the same topic waits too, or it would overtake.
        held.add(append.topic);
        left.push(waiting);
        continue;
      }
      if (key !== undefined) keys.add(key);
      events += append.bodies.length;
      bytes += waiting.bytes;
      group.push(waiting);
    }
    this.#waiting = left;
    this.#waitingBytes -= bytes;
    return group;
  }

  #expire(): void {
    const before = this.#options.clock() - this.#timeoutMs;
    const expired = (waiting: Waiting) => waiting.since < before;
    for (const { reject } of this.#inFlight.filter(expired))
      reject(new StoreUnavailable('the log did not answer in time'));
    const late = this.#waiting.filter(expired);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => !expired(waiting));
    for (const { reject, bytes } of late) {
      this.#waitingBytes -= bytes;
      reject(new StoreUnavailable('the log did not answer in time'));
    }
  }
}

function laneOf(topic: string, lanes: number): number {
  let hash = 0;
  for (let index = 0; index < topic.length; index += 1) hash = (Math.imul(hash, 31) + topic.charCodeAt(index)) | 0;
  return (hash >>> 0) % lanes;
}
