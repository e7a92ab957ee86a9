/**
 * What one component shows of a topic: events as they come, folded into a value. It subscribes while somebody listens, and goes on where it
 * stopped when somebody listens again.
 *
 * After a gap it does as a subscription does by itself: one that began with history begins so again, and what it showed until then is
 * replaced by what comes; any other goes on from what there is.
 */
import type { Client } from '../client/create-client.ts';
import type { MissingEvents, SubscribeOptions, Subscription, SubscriptionState } from '../client/subscription.ts';
import type { Event } from '../protocol/event.ts';
import { isEqual } from './is-equal.ts';

/** Makes a value of the one before and the events of one turn, of which there is at least one. Pure. */
export type Fold<Data, Value> = (value: Value, events: readonly Event<Data>[]) => Value;

/** Immutable: the same object while nothing changes. */
export interface TopicSnapshot<Each, Value> {
  readonly value: Value;
  /** The newest event, ephemeral ones among them. */
  readonly last: Each | undefined;
  /** What was missing, the last time that something was. */
  readonly gap: MissingEvents | undefined;
  /** `closed` when there is no topic. */
  readonly state: SubscriptionState;
}

const CLOSED: SubscriptionState = { kind: 'closed' };
const WAITING: SubscriptionState = { kind: 'waiting' };

export class TopicFeed<Data, Value> {
  readonly #subscribe: Client['subscribe'];
  readonly #topic: string | undefined;
  readonly #options: SubscribeOptions;
  readonly #first: TopicSnapshot<Event<Data>, Value>;
  readonly #listeners = new Set<{ readonly listener: () => void }>();
  #fold: Fold<Data, Value>;
  #snapshot: TopicSnapshot<Event<Data>, Value>;
  #subscription: Subscription<Data> | undefined;
  #cursor: string | undefined;
  /** Events that are not folded yet: those of one turn. */
  #events: Event<Data>[] = [];
  #gap: MissingEvents | undefined;
  /** Whether what is shown is of before a gap, and to be replaced. */
  #isOld = false;
  #isTelling = false;

  /** @param topic none: then it is closed for good */
  constructor(
    client: Pick<Client, 'subscribe'>,
    topic: string | undefined,
    options: SubscribeOptions,
    initial: Value,
    fold: Fold<Data, Value>,
  ) {
    this.#subscribe = client.subscribe;
    this.#topic = topic;
    this.#options = options;
    this.#fold = fold;
    this.#first = { value: initial, last: undefined, gap: undefined, state: topic === undefined ? CLOSED : WAITING };
    this.#snapshot = this.#first;
  }

  /** Folds so from now on. */
  set fold(fold: Fold<Data, Value>) {
    this.#fold = fold;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    if (this.#topic === undefined) return () => {};
    const entry = { listener };
    this.#listeners.add(entry);
    if (this.#subscription === undefined) this.#open(this.#topic, this.#cursor);
    return () => {
      if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
      this.#cursor = this.#subscription?.cursor ?? this.#cursor;
      this.#subscription?.close();
      this.#subscription = undefined;
    };
  };

  /** Folds what has come. Throws what the fold throws, so that it is thrown where the component is rendered. */
  readonly getSnapshot = (): TopicSnapshot<Event<Data>, Value> => {
    const shown = this.#snapshot;
    const state = this.#subscription?.state ?? shown.state;
    const events = this.#events;
    const isReplaced = this.#isOld && (events.length > 0 || state.kind === 'live');
    if (events.length === 0 && !isReplaced && shown.gap === this.#gap && isEqual(shown.state, state)) return shown;
    const base = isReplaced ? this.#first : shown;
    const value = events.length === 0 ? base.value : this.#fold(base.value, events);
    this.#snapshot = { value, last: events.at(-1) ?? base.last, gap: this.#gap, state };
    this.#events = [];
    if (isReplaced) this.#isOld = false;
    return this.#snapshot;
  };

  readonly getServerSnapshot = (): TopicSnapshot<Event<Data>, Value> => this.#first;

  #open(topic: string, after: string | undefined): void {
    const { since, last, ...options } = this.#options;
    const start = after === undefined ? this.#options : { ...options, after };
    const subscription = this.#subscribe<Data>(topic, start, {
      onEvent: (event) => {
        this.#events.push(event);
        this.#changed();
      },
      onGap: (gap) => {
        this.#gap = gap;
        this.#changed();
        if (!beginsWithHistory(this.#options)) return;
        // What came before the gap, and was not shown yet, is not shown any more.
        this.#events = [];
        this.#isOld = true;
        this.#cursor = undefined;
        subscription.close();
        this.#open(topic, undefined);
      },
      onState: () => this.#changed(),
    });
    this.#subscription = subscription;
  }

  /** Tells once a turn. */
  #changed(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const { listener } of [...this.#listeners]) listener();
    });
  }
}

/** Whether a subscription that misses something begins anew. After a cursor it cannot: what is missing is after it. */
function beginsWithHistory({ after = 'latest', since, last }: SubscribeOptions): boolean {
  return after === 'earliest' || since !== undefined || last !== undefined;
}
