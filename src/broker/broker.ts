/**
 * The broker's port: publish to topics, subscribe to them.
 *
 * **A subscription is a cursor and a subscriber.** It reads on from its cursor, from the log while it is behind and live when it
 * is not; both are one loop, so at the seam nothing is missed and nothing repeated. The broker calls its subscriber only
 * while that is `ready`; one that is not falls behind, costs nothing, and goes on from its cursor when it is `resume`d. Nothing
 * is queued for it.
 *
 * **Order.** Per topic, events come in the order of the log, each once, ephemeral ones between them. Between topics there is none.
 *
 * **After `caughtUp`**, whatever commits will arrive, by whichever node it was published.
 *
 * **Gaps.** When the log no longer holds what lies after the cursor, `gap` is called, and delivery goes on from the oldest
 * event there is.
 */
import type { Gap } from '../protocol/control.ts';
import type { Cursor } from '../protocol/cursor.ts';
import type { EventInput } from '../protocol/event.ts';
import type { EventBatch } from '../protocol/event-batch.ts';
import type { Appended, Idempotency } from '../store/store.ts';
import type { Selection } from './selection.ts';

/**
 * Where to begin. `cursors` are positions that may be this topic's, whatever their epochs, at least one: the one of the
 * topic's own epoch counts, else the first.
 */
export type Start =
  | { readonly kind: 'cursor'; readonly cursors: readonly Cursor[] }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  /** ms since 1970 */
  | { readonly kind: 'since'; readonly time: number }
  | { readonly kind: 'last'; readonly count: number };

export interface SubscribeRequest extends Selection {
  readonly topic: string;
  readonly start: Start;
  /** At most one event a key in so many milliseconds, the newest. Works on runs of at most `CONFLATION_RUN` events. */
  readonly conflate?: number | undefined;
}

export interface Subscriber {
  /** Whether it can take more now. */
  readonly ready: boolean;
  /** Takes events. Never called while not ready, nor after the subscription was closed. */
  deliver(batch: EventBatch, subscription: Subscription): void;
  /** Learns that history is missing; the subscription's position is already past the gap. */
  gap(gap: Gap, subscription: Subscription): void;
  /** Called once, when replay is done and live delivery has begun. */
  caughtUp(subscription: Subscription): void;
  /** Learns that nothing more will come, because what is read has outgrown a bound. */
  cutOff?(subscription: Subscription): void;
}

export interface Subscription {
  readonly topic: string;
  /** Everything up to here was delivered, or not chosen. */
  readonly position: Cursor;
  /** Whether `caughtUp` was called. */
  readonly live: boolean;
  /** Begins delivery. */
  start(subscriber: Subscriber): void;
  /** Goes on after the subscriber was not ready. */
  resume(): void;
  close(): void;
}

export interface Origin {
  readonly actor?: string | undefined;
  readonly mutation?: string | undefined;
  readonly idempotency?: Idempotency | undefined;
}

export interface Broker {
  /**
   * Appends events to a topic, all or none.
   * @throws StoreUnavailable when the log cannot be reached; then only an idempotency key tells what became of them
   */
  publish(topic: string, events: readonly EventInput[], origin?: Origin): Promise<Appended>;

  /** Gives events to whoever is connected now, on every node. Nothing is kept. Answers with their time, ms since 1970. */
  publishEphemeral(topic: string, events: readonly EventInput[], origin?: Origin): number;

  /**
   * Prepares subscriptions, so that every position is known before anything is delivered.
   * @throws StoreUnavailable when the log cannot be reached
   */
  subscribe(requests: readonly SubscribeRequest[]): Promise<readonly Subscription[]>;

  /** How many subscriptions this node has on a topic. */
  subscribers(topic: string): number;

  close(): Promise<void>;
}

/** Events that conflation looks at together. */
export const CONFLATION_RUN = 5000;
