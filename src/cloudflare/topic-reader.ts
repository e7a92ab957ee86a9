/**
 * A reader of a topic in the topic's object: a WebSocket whose other end is a Worker that holds somebody's stream.
 *
 * Whatever has to outlive hibernation is attached to the socket: what the reader chose, and where it stands. An object is put to sleep only when
 * nothing was done for a while, and by then each reader's place has been attached; were it an older one, the Worker would leave out what it has.
 */
import type { SubscribeRequest, Subscriber, Subscription } from '../broker/broker.ts';
import type { Gap } from '../protocol/control.ts';
import type { Cursor } from '../protocol/cursor.ts';
import type { EventBatch } from '../protocol/event-batch.ts';
import type { Caller } from '../records/visibility.ts';
import type { PresenceChanges } from '../store/presence-store.ts';
import type { ObjectState, WorkerSocket } from './platform.ts';
import { refusalOf } from './read-refusal.ts';
import { attach, attached, type ReaderAttachment } from './reader-attachment.ts';
import { encodeEvents, encodeFrame, isSamePlace, type ReadRequest, WINDOW } from './topic-frames.ts';

export class TopicReader implements Subscriber {
  readonly #ctx: ObjectState;
  readonly #socket: WorkerSocket;
  #read: ReadRequest;
  #subscription: Subscription | undefined;
  /** What the socket has attached; nothing before its first. */
  #attachment: ReaderAttachment | undefined;
  /** Where the Worker knows that it stands. */
  #told: Cursor | undefined;
  #live: boolean;
  #closed = false;
  /** Characters that were sent and not taken yet. */
  #underWay = 0;

  private constructor(ctx: ObjectState, socket: WorkerSocket, read: ReadRequest, before?: ReaderAttachment) {
    this.#ctx = ctx;
    this.#socket = socket;
    this.#read = read;
    this.#attachment = before;
    this.#told = before?.position;
    this.#live = before?.live ?? false;
  }

  /** A reader that is new. */
  static of(ctx: ObjectState, socket: WorkerSocket, read: ReadRequest): TopicReader {
    return new TopicReader(ctx, socket, read);
  }

  /** The reader of a socket that was there before the object slept. */
  static restored(ctx: ObjectState, socket: WorkerSocket): TopicReader {
    const before = attached(ctx, socket);
    return new TopicReader(ctx, socket, before.read, before);
  }

  get topic(): string {
    return this.#read.topic;
  }

  get presence(): boolean {
    return this.#read.presence === true;
  }

  /** As whom a collection is read. */
  get caller(): Caller | undefined {
    return this.#read.caller;
  }

  /** What to subscribe to: from where it stands, else from where it wanted to begin. */
  get request(): SubscribeRequest | undefined {
    const { events } = this.#read;
    const position = this.#attachment?.position;
    if (events === undefined || position === undefined) return events;
    return { ...events, start: { kind: 'cursor', cursors: [position] } };
  }

  /** Part of `Subscriber`. */
  get ready(): boolean {
    return this.#underWay < WINDOW;
  }

  /** Begins. @param subscription of its {@link request}; absent where it reads no events */
  begin(subscription: Subscription | undefined, isNew: boolean): void {
    if (this.#closed) {
      subscription?.close();
      return;
    }
    this.#subscription = subscription;
    const position = subscription?.position;
    this.#told = position;
    if (isNew) {
      this.#send(encodeFrame({ kind: 'hello', position }));
      this.settle();
    }
    subscription?.start(this);
  }

  /**
   * Reads otherwise from now on.
   * @param subscribe makes the subscription that takes the place of the one before, which is closed once there is one
   */
  async exchange(
    read: ReadRequest,
    subscribe: (before: Subscription | undefined) => Promise<Subscription>,
  ): Promise<void> {
    const before = this.#subscription;
    let after: Subscription;
    try {
      after = await subscribe(before);
    } catch (error) {
      this.#send(encodeFrame({ kind: 'refused', refusal: refusalOf(error) }));
      return;
    }
    if (this.#closed || this.#subscription !== before) {
      after.close();
      this.#send(encodeFrame({ kind: 'refused', refusal: { kind: 'unavailable' } }));
      return;
    }
    before?.close();
    this.#read = read;
    this.#live = false;
    this.#subscription = after;
    this.#told = after.position;
    this.#send(encodeFrame({ kind: 'exchanged', position: after.position }));
    this.settle();
    after.start(this);
  }

  deliver(batch: EventBatch, subscription: Subscription): void {
    for (const frame of encodeEvents(batch)) this.#send(frame);
    this.#told = subscription.position;
  }

  gap(gap: Gap, { position }: Subscription): void {
    this.#send(encodeFrame({ kind: 'gap', gap, position }));
    this.#told = position;
  }

  caughtUp({ position }: Subscription): void {
    if (!this.#live) this.#send(encodeFrame({ kind: 'live', position }));
    this.#live = true;
    this.#told = position;
  }

  /** Part of `Subscriber`. */
  cutOff(): void {
    this.#send(encodeFrame({ kind: 'cut-off' }));
    this.close();
  }

  /** What it reads is not served any more. */
  end(): void {
    this.#send(encodeFrame({ kind: 'ended' }));
    this.close();
  }

  tellPresence(after: number, { revision, changes, forgotten }: PresenceChanges): void {
    const isAll = !forgotten && (changes.at(-1)?.revision ?? after) === revision;
    this.#send(encodeFrame({ kind: 'presence', after, revision, changes: isAll ? changes : undefined }));
  }

  /** The Worker has taken so much. */
  taken(characters: number): void {
    this.#underWay = Math.max(0, this.#underWay - characters);
    if (this.ready) this.#subscription?.resume();
  }

  /** Tells how far the reader has come, where nothing of what passed was for it, and attaches that. */
  settle(): void {
    const position = this.#subscription?.position ?? this.#attachment?.position;
    if (position !== undefined && this.#live && !isSamePlace(position, this.#told)) {
      this.#send(encodeFrame({ kind: 'position', position }));
      this.#told = position;
    }
    const before = this.#attachment;
    const isSame = position === undefined || isSamePlace(position, before?.position);
    if (before !== undefined && isSame && before.live === this.#live && before.read === this.#read) return;
    this.#attachment = { read: this.#read, position, live: this.#live };
    attach(this.#ctx, this.#socket, this.#attachment);
  }

  /** The socket is gone, or is to go. */
  close(): void {
    this.#closed = true;
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  #send(frame: string): void {
    this.#underWay += frame.length;
    try {
      this.#socket.send(frame);
    } catch {
      // It is closing: its Worker comes back with its cursor, or is gone.
      this.close();
    }
  }
}
