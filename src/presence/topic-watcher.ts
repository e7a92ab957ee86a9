/**
 * One stream's view of who is at a topic: first a sync with all members, then each change.
 *
 * Nothing is queued for a stream that is not ready. It misses what is told meanwhile, and gets a fresh sync when it has room again. A
 * sync of many parts waits between them for room, and what it is made of stays as it was; where members have changed by its
 * end, another follows.
 */
import type { ControlBatch } from '../protocol/control.ts';
import type { Snapshot, WatchedTopic } from './watched-topic.ts';

/** What is told: a stream. */
export interface Watching {
  /** Whether it can take more now. */
  readonly ready: boolean;
  presence(batch: ControlBatch): void;
}

export class TopicWatcher {
  readonly #topic: WatchedTopic;
  readonly #onClose: () => void;
  #stream: Watching | undefined;
  /** Whether it was told everything up to the topic's revision. */
  #synced = false;
  /** The sync that is under way, and its next part. */
  #snapshot: Snapshot | undefined;
  #next = 0;
  #closed = false;

  constructor(topic: WatchedTopic, onClose: () => void) {
    this.#topic = topic;
    this.#onClose = onClose;
  }

  get topic(): string {
    return this.#topic.name;
  }

  start(stream: Watching): void {
    if (this.#closed) return;
    this.#stream = stream;
    this.#topic.add(this);
    this.resume();
  }

  /** Goes on when the stream is ready, or the members have become known. */
  resume(): void {
    while (!this.#closed && !this.#synced && this.#stream?.ready) {
      this.#snapshot ??= this.#begin();
      if (this.#snapshot === undefined) return;
      const part = this.#snapshot.parts[this.#next];
      if (part === undefined) {
        this.#synced = this.#snapshot === this.#topic.snapshot;
        this.#snapshot = undefined;
      } else {
        this.#next += 1;
        this.#stream.presence(withoutCopies(part, this.#snapshot));
      }
    }
  }

  /** Takes a change, or misses it. */
  tell(batch: ControlBatch): void {
    if (this.#synced && this.#stream?.ready) this.#stream.presence(batch);
    else this.#synced = false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#snapshot = undefined;
    this.#topic.delete(this);
    this.#onClose();
  }

  #begin(): Snapshot | undefined {
    this.#next = 0;
    return this.#topic.snapshot;
  }
}

/** The bytes of a large sync are not kept: a slow stream holds it while the topic goes on, and each such stream another one. */
function withoutCopies(part: ControlBatch, { parts }: Snapshot): ControlBatch {
  return parts.length === 1 ? part : part.alone();
}
