/**
 * A subscription of a Worker: reads from an object by a WebSocket, and from where it stands again whenever that is lost.
 *
 * Nothing is lost or told twice by that: the object begins after the position that this has, and what it may tell again is left out. What
 * the subscriber is not ready for waits here, within the window that the object keeps to.
 *
 * A subscription may take the place of another on the same socket, so that its object knows what the reader holds: what was sent for the one
 * before is handed on first.
 */
import type { SubscribeRequest, Subscriber, Subscription } from '../broker/broker.ts';
import type { Cursor } from '../protocol/cursor.ts';
import { EventBatch } from '../protocol/event-batch.ts';
import { StoreUnavailable } from '../store/store.ts';
import { errorOf, NotServed } from './read-refusal.ts';
import { type ReadRequest, type TopicFrame, WINDOW } from './topic-frames.ts';
import { HELLO_MS, type TopicSocket, type TopicSocketObserver } from './topic-socket.ts';

/** Characters that the Worker takes before it says so: a part of the window, so that the object never waits for long. */
const SAY_AFTER = WINDOW / 4;
/** What is held at most, when an object that has slept does not know any more what is under way. */
const MOST_HELD = 4 * WINDOW;
/** How long to wait before the socket is opened again, in ms: doubled each time, up to the last. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

/** What is read, and where. */
export interface EdgeRead {
  readonly request: SubscribeRequest;
  /** Opens a socket for it. @throws StoreUnavailable; other errors when it can never be */
  readonly connect: (events: SubscribeRequest, observer: TopicSocketObserver) => Promise<TopicSocket>;
  /** Told when it is not served any more. */
  readonly onEnded?: () => void;
  /**
   * Whether every gap is told on. Of a log, one that ends where the reader stands already says nothing; of a view, it says that the reader may
   * hold what the view does not know of.
   */
  readonly everyGap?: boolean;
}

/** A socket's reader, which may change. */
interface Line {
  reader: EdgeSubscription | undefined;
}

/** Another way of reading that was asked for. */
interface Exchange {
  readonly read: EdgeRead;
  readonly done: PromiseWithResolvers<EdgeSubscription>;
}

export class EdgeSubscription implements Subscription {
  readonly topic: string;
  readonly #read: EdgeRead;
  #position: Cursor;
  #line: Line | undefined;
  #socket: TopicSocket | undefined;
  #subscriber: Subscriber | undefined;
  #held: (readonly [frame: TopicFrame, size: number])[] = [];
  #heldSize = 0;
  /** Characters that were taken, and not said yet. */
  #taken = 0;
  #live = false;
  /** Whether a gap was told last. */
  #isAfterGap = false;
  #closed = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** The one whose place this takes, until that is closed; and the one that takes the place of this. */
  #before: EdgeSubscription | undefined;
  #after: EdgeSubscription | undefined;
  #exchanging: Exchange | undefined;

  private constructor(read: EdgeRead, position: Cursor) {
    this.topic = read.request.topic;
    this.#read = read;
    this.#position = position;
  }

  /** @throws StoreUnavailable; what `connect` throws */
  static async open(read: EdgeRead): Promise<EdgeSubscription> {
    // What comes before there is a subscription waits for it.
    const line: Line = { reader: undefined };
    const socket = await read.connect(read.request, observerOf(line));
    const subscription = new EdgeSubscription(read, socket.position ?? { epoch: '', seq: 0 });
    subscription.#attach(line, socket);
    return subscription;
  }

  get position(): Cursor {
    return this.#before?.position ?? this.#position;
  }

  /**
   * Has the object read otherwise from now on.
   * @param asked what it is told
   * @returns what takes the place of this, to be started when this is closed
   * @throws StoreUnavailable when the object cannot do that now; other errors when it never can
   */
  async succeed(read: EdgeRead, asked: ReadRequest): Promise<EdgeSubscription> {
    if (this.#socket === undefined || this.#exchanging !== undefined || this.#closed)
      throw new StoreUnavailable('the object cannot be reached');
    const done = Promise.withResolvers<EdgeSubscription>();
    this.#exchanging = { read, done };
    this.#socket.exchange(asked);
    // Whether it was done cannot be known then: the socket is let go of.
    const late = setTimeout(() => this.lost(), HELLO_MS);
    try {
      return await done.promise;
    } finally {
      clearTimeout(late);
      this.#exchanging = undefined;
    }
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
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#exchanging?.done.reject(new StoreUnavailable('the subscription was closed'));
    const before = this.#before;
    if (before !== undefined && !before.#closed) before.#goOn();
    if (this.#after !== undefined) this.#after.#takeOver(this);
    this.#held = [];
  }

  hear(frame: TopicFrame, size: number): void {
    if (this.#closed) return;
    this.#retryMs = FIRST_RETRY_MS;
    if (frame.kind === 'refused') {
      this.#exchanging?.done.reject(errorOf(frame.refusal, this.topic));
      return;
    }
    if (frame.kind === 'exchanged' && this.#exchanging !== undefined) {
      this.#handOver(frame, size, this.#exchanging);
      return;
    }
    this.#held.push([frame, size]);
    this.#heldSize += size;
    this.#take();
    // More than there should ever be: it is let go of, and read again from the position when there is room.
    if (this.#heldSize > MOST_HELD) this.lost();
  }

  /** The socket is gone. */
  lost(): void {
    if (this.#closed) return;
    if (this.#line !== undefined) this.#line.reader = undefined;
    this.#socket?.close();
    this.#socket = undefined;
    this.#held = [];
    this.#heldSize = 0;
    this.#taken = 0;
    this.#exchanging?.done.reject(new StoreUnavailable('the socket was lost'));
    this.#reopenLater();
  }

  #attach(line: Line, socket: TopicSocket): void {
    line.reader = this;
    this.#line = line;
    this.#socket = socket;
    socket.start();
  }

  /** What comes from here on is for the one that takes the place of this. */
  #handOver(frame: TopicFrame, size: number, { read, done }: Exchange): void {
    const after = new EdgeSubscription(read, this.#position);
    this.#after = after;
    after.#before = this;
    after.#line = this.#line;
    after.#socket = this.#socket;
    this.#line = undefined;
    this.#socket = undefined;
    if (after.#line !== undefined) after.#line.reader = after;
    after.hear(frame, size);
    done.resolve(after);
  }

  /** Takes over what the one before was not ready to hand on. */
  #takeOver(before: EdgeSubscription): void {
    this.#before = undefined;
    this.#position = before.#position;
    this.#taken += before.#taken;
    for (const [frame, size] of before.#held.toReversed()) {
      // That it was live says nothing of this one.
      if (frame.kind === 'live') this.#taken += size;
      else {
        this.#held.unshift([frame, size]);
        this.#heldSize += size;
      }
    }
  }

  /** What was to take the place of this was closed before it did: the socket is gone with it. */
  #goOn(): void {
    this.#after = undefined;
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
    const events: SubscribeRequest = { ...this.#read.request, start: { kind: 'cursor', cursors: [this.position] } };
    const line: Line = { reader: undefined };
    try {
      const socket = await this.#read.connect(events, observerOf(line));
      if (this.#closed) socket.close();
      else this.#attach(line, socket);
    } catch (error) {
      if (this.#closed) return;
      if (error instanceof NotServed) this.#read.onEnded?.();
      else if (error instanceof StoreUnavailable) this.#reopenLater();
      else this.#subscriber?.cutOff?.(this);
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
    const socket = this.#after === undefined ? this.#socket : this.#after.#socket;
    socket?.taken(this.#taken);
    this.#taken = 0;
  }

  #tell(frame: TopicFrame, subscriber: Subscriber): void {
    const isAfterGap = this.#isAfterGap;
    this.#isAfterGap = frame.kind === 'gap';
    switch (frame.kind) {
      case 'events': {
        // A view that tells of a gap tells what it can of the same stretch.
        const batch = isAfterGap ? frame.batch : this.#unseen(frame.batch);
        if (batch === undefined) return;
        // An ephemeral event has no place: a subscription that conflates may still be behind it.
        if (batch.after !== batch.last) this.#position = { epoch: batch.epoch, seq: batch.last };
        if (batch.events.length > 0) subscriber.deliver(batch, this);
        return;
      }
      case 'gap':
        // Of what was told already nothing is missing: the object began from an older place.
        if (this.#read.everyGap !== true && frame.gap.reason !== 'ahead' && this.#has(frame.position)) return;
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
      case 'exchanged':
        this.#position = frame.position ?? this.#position;
        return;
      case 'cut-off':
        subscriber.cutOff?.(this);
        return;
      case 'ended':
        this.#read.onEnded?.();
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

function observerOf(line: Line): TopicSocketObserver {
  return {
    frame: (frame, size) => line.reader?.hear(frame, size),
    lost: () => line.reader?.lost(),
  };
}
