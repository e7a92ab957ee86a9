/**
 * A subscription of a Worker: reads from the object of a topic by a WebSocket, and from where it stands again whenever that is lost.
 *
 * Nothing is lost or told twice by that: the object begins after the position that this has, and what it may tell again is left out. What
 * the subscriber is not ready for waits here, within the window that the object keeps to.
 */
import type { SubscribeRequest, Subscriber, Subscription } from '../broker/broker.ts';
import type { Cursor } from '../protocol/cursor.ts';
import { EventBatch } from '../protocol/event-batch.ts';
import type { Bindings } from './bindings.ts';
import { type TopicFrame, WINDOW } from './topic-frames.ts';
import { openTopicSocket, type TopicSocket } from './topic-socket.ts';

/** Characters that the Worker takes before it says so: a part of the window, so that the object never waits for long. */
const SAY_AFTER = WINDOW / 4;
/** What is held at most, when an object that has slept does not know any more what is under way. */
const MOST_HELD = 4 * WINDOW;
/** How long to wait before the socket is opened again, in ms: doubled each time, up to the last. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

export class EdgeSubscription implements Subscription {
  readonly topic: string;
  readonly #bindings: Bindings;
  readonly #request: SubscribeRequest;
  #position: Cursor;
  #socket: TopicSocket | undefined;
  #subscriber: Subscriber | undefined;
  readonly #held: (readonly [frame: TopicFrame, size: number])[] = [];
  #heldSize = 0;
  /** Characters that were taken, and not said yet. */
  #taken = 0;
  #live = false;
  #closed = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = FIRST_RETRY_MS;

  private constructor(bindings: Bindings, request: SubscribeRequest, position: Cursor) {
    this.topic = request.topic;
    this.#bindings = bindings;
    this.#request = request;
    this.#position = position;
  }

  /** @throws StoreUnavailable */
  static async open(bindings: Bindings, request: SubscribeRequest): Promise<EdgeSubscription> {
    // What comes before this is made waits for it.
    let subscription: EdgeSubscription | undefined;
    const socket = await openTopicSocket(
      bindings,
      { topic: request.topic, events: request },
      {
        frame: (frame, size) => subscription?.hear(frame, size),
        lost: () => subscription?.lost(),
      },
    );
    subscription = new EdgeSubscription(bindings, request, socket.position ?? { epoch: '', seq: 0 });
    subscription.#socket = socket;
    socket.start();
    return subscription;
  }

  get position(): Cursor {
    return this.#position;
  }

  get live(): boolean {
    return this.#live;
  }

  start(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
    this.#take();
  }

  resume(): void {
    this.#take();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#held.length = 0;
  }

  hear(frame: TopicFrame, size: number): void {
    if (this.#closed) return;
    this.#retryMs = FIRST_RETRY_MS;
    this.#held.push([frame, size]);
    this.#heldSize += size;
    this.#take();
    // More than there should ever be: it is let go of, and read again from the position when there is room.
    if (this.#heldSize > MOST_HELD) this.lost();
  }

  /** The socket is gone. */
  lost(): void {
    if (this.#closed) return;
    this.#socket?.close();
    this.#socket = undefined;
    this.#held.length = 0;
    this.#heldSize = 0;
    this.#taken = 0;
    this.#reopenLater();
  }

  #reopenLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#reopen(), this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
  }

  async #reopen(): Promise<void> {
    // Where the subscriber has no room, there is no use in reading on.
    if (this.#subscriber !== undefined && !this.#subscriber.ready) {
      this.#reopenLater();
      return;
    }
    const events: SubscribeRequest = { ...this.#request, start: { kind: 'cursor', cursors: [this.#position] } };
    try {
      const socket = await openTopicSocket(
        this.#bindings,
        { topic: this.topic, events },
        {
          frame: (frame, size) => this.hear(frame, size),
          lost: () => this.lost(),
        },
      );
      if (this.#closed) {
        socket.close();
        return;
      }
      this.#socket = socket;
      socket.start();
    } catch {
      if (!this.#closed) this.#reopenLater();
    }
  }

  /** Hands on what waits, as long as the subscriber is ready. */
  #take(): void {
    while (!this.#closed && this.#subscriber?.ready) {
      const next = this.#held.shift();
      if (next === undefined) break;
      const [frame, size] = next;
      this.#heldSize -= size;
      this.#taken += size;
      this.#tell(frame, this.#subscriber);
    }
    if (this.#taken < SAY_AFTER) return;
    this.#socket?.taken(this.#taken);
    this.#taken = 0;
  }

  #tell(frame: TopicFrame, subscriber: Subscriber): void {
    switch (frame.kind) {
      case 'events': {
        const batch = this.#unseen(frame.batch);
        if (batch === undefined) return;
        // An ephemeral event has no place: a subscription that conflates may still be behind it.
        if (batch.after !== batch.last) this.#position = { epoch: batch.epoch, seq: batch.last };
        if (batch.events.length > 0) subscriber.deliver(batch, this);
        return;
      }
      case 'gap':
        // Of what was told already nothing is missing: the object began from an older place.
        if (frame.gap.reason !== 'ahead' && this.#has(frame.position)) return;
        this.#position = frame.position;
        subscriber.gap(frame.gap, this);
        return;
      case 'live':
        this.#move(frame.position);
        if (this.#live) return;
        this.#live = true;
        subscriber.caughtUp(this);
        return;
      case 'position':
        this.#move(frame.position);
        return;
    }
  }

  /** What of a batch was not told yet. */
  #unseen(batch: EventBatch): EventBatch | undefined {
    const { topic, epoch, after, last, events } = batch;
    const isEphemeral = after === last;
    if (isEphemeral || epoch !== this.#position.epoch || after >= this.#position.seq) return batch;
    if (last <= this.#position.seq) return undefined;
    const { seq } = this.#position;
    return new EventBatch(
      topic,
      epoch,
      seq,
      last,
      events.filter((event) => event.seq > seq),
    );
  }

  #has({ epoch, seq }: Cursor): boolean {
    return epoch === this.#position.epoch && seq <= this.#position.seq;
  }

  #move(position: Cursor): void {
    if (position.epoch !== this.#position.epoch || position.seq > this.#position.seq) this.#position = position;
  }
}
