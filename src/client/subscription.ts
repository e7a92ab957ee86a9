/** What the client subscribes to, and what it tells of it (protocol section 2). */
import type { Gap, PresenceData } from '../protocol/control.ts';
import type { Event } from '../protocol/event.ts';

/** Which subscriptions go on when there are more topics than a stream can have: those of low priority wait. */
export type Priority = 'low' | 'normal' | 'high' | 'critical';

export interface SubscribeOptions {
  /** Where to begin: after a cursor, or at an end of the log. `latest` unless told. */
  readonly after?: string | undefined;
  /** Where to begin: events at or after this time. */
  readonly since?: string | Date | undefined;
  /** Where to begin: the newest so many events, 0 to 100,000. */
  readonly last?: number | undefined;
  /** `<field>=<op>.<value>` (protocol section 2.3); all must hold. */
  readonly filter?: string | readonly string[] | undefined;
  /** Only events of these types. */
  readonly types?: readonly string[] | undefined;
  /** At most one event of a key in so many ms, the newest. 10 to 3,600,000. */
  readonly conflate?: number | undefined;
  /** `normal` unless told. */
  readonly priority?: Priority | undefined;
  /** Whether to be told of members (protocol section 5). */
  readonly presence?: boolean | undefined;
}

/**
 * Something is missing. Besides the server's own reasons: `disordered` where an event came out of its order, after others that should
 * have come later.
 */
export interface MissingEvents extends Omit<Gap, 'reason'> {
  readonly reason: Gap['reason'] | 'disordered';
}

export type { PresentMember } from '../protocol/control.ts';

/** Who is there: all of them (`sync`) at first and whenever changes may have been missed, then each change (protocol section 5). */
export type PresenceChange = PresenceData;

/** `waiting`: for a connection, or for history. `live`: whatever commits from now on will arrive. */
export type SubscriptionState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'live' }
  /** There are more topics, or more ways to read one, than can be read at once; it goes on when others are closed. */
  | { readonly kind: 'parked'; readonly why: 'topics' | 'streams' }
  /** The server refused it, by a code of protocol section 7. It is tried again with another token. */
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'closed' };

/** What a subscription calls. None is called after `close`, and none from within `subscribe`. */
export interface SubscriptionObserver<Data = unknown> {
  /** Every event once, in the order of the log; ephemeral ones between. */
  onEvent?(event: Event<Data>): void;
  /**
   * Events are missing. Without it, a subscription that began with history (`last`, `since`, `earliest`) begins so again, and any other
   * goes on from what there is.
   */
  onGap?(gap: MissingEvents): void;
  onState?(state: SubscriptionState): void;
  onPresence?(change: PresenceChange): void;
}

/**
 * A subscription. As an iterable it gives the events that come from the first call of `next` on, and holds at most 1,000 of them: a loop that
 * is slower than that makes the subscription read on from the server's log later, and loses nothing.
 */
export interface Subscription<Data = unknown> extends AsyncIterable<Event<Data>> {
  readonly topic: string;
  /** Everything up to here was delivered; `undefined` before anything is known. */
  readonly cursor: string | undefined;
  readonly state: SubscriptionState;
  close(): void;
}

/** Subscribes to a topic. */
export type Subscribe = <Data = unknown>(
  topic: string,
  options?: SubscribeOptions,
  observer?: SubscriptionObserver<Data>,
) => Subscription<Data>;
