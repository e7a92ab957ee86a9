/**
 * The presence's port: who is at a topic, by leases that end by themselves.
 *
 * **Leases.** A lease says that a member is there until it `expires`, by the store's own clock, which is one for all nodes. From that
 * millisecond on it has ended, whether or not anybody has noticed: it is not live, and its name is free. Noticing it is a *sweep*: any
 * node may do it, and of all that try one does.
 * **Order.** Joins, updates and leaves of a topic have a `revision`, which grows in commit order: the lock of the topic is held from
 * when it is given until the commit. So the changes after a revision are all that there will ever be between. Revisions are not
 * dense, and a topic that is forgotten and begun again goes on above the ones that it had. A renewal that changes no state is no
 * change, takes no lock of the topic, and shares its statement with the others of its moment.
 * **Tombstones.** Changes are kept for about {@link CHANGES_MS}, leaves among them. Who is behind what is kept is told so, and reads the list.
 * **Durability.** As the log's: an answer is kept by the medium. A write that fails with {@link StoreUnavailable} may have happened.
 * **Limits.** Each method says its own.
 */

/** How long changes are kept, in ms; a little longer, until the next prune. */
export const CHANGES_MS = 60_000;

/** A lease as it is stored. Times are in ms since 1970 by the store's clock. */
export interface StoredLease {
  readonly member: string;
  /** What the member says of itself, as JSON. */
  readonly state: string;
  /** When it joined. */
  readonly since: number;
  /** Its last sign of life. */
  readonly seen: number;
  readonly expires: number;
}

/** Joins, or renews. What is absent stays as it was; of a new lease, the state is null and the ttl the default. */
export interface Join {
  readonly topic: string;
  readonly member: string;
  /** Who may renew and end the lease while it is live. */
  readonly owner: string;
  /** JSON */
  readonly state?: string | undefined;
  readonly ttlMs?: number | undefined;
  /** The stream that shall keep it alive. */
  readonly stream?: string | undefined;
  /** The most live leases that the topic may have with this one. */
  readonly most: number;
}

export type Joined =
  /** `revision` is absent where nothing was changed but the time. */
  | { readonly kind: 'joined'; readonly lease: StoredLease; readonly revision?: number | undefined }
  /** A live lease of this name is somebody else's. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'full' };

export interface Leave {
  readonly topic: string;
  readonly member: string;
  /** Absent: whoever's it is. */
  readonly owner?: string | undefined;
}

export type Left =
  | { readonly kind: 'left'; readonly revision: number }
  /** There is no live lease; `revision` is given where one was found that had ended. */
  | { readonly kind: 'absent'; readonly revision?: number | undefined }
  | { readonly kind: 'taken' };

/** One change of a topic. */
export interface PresenceChange {
  readonly revision: number;
  readonly change: 'join' | 'update' | 'leave';
  readonly member: string;
  /** JSON; `null` of a leave. */
  readonly state: string | null;
  /** When the member joined, ms since 1970. */
  readonly since: number;
}

/** When the store has to be looked at again: ms until the first lease of any topic ends; `undefined` when there is none. May be early. */
export interface Due {
  readonly due: number | undefined;
}

export interface PresenceList extends Due {
  /** The topic's newest; 0 where nothing is known of the topic. */
  readonly revision: number;
  /** The store's clock, ms since 1970. */
  readonly now: number;
  /** In the order of joining. Those that have ended and were not swept are among them: their leaves have no revision yet. */
  readonly leases: readonly StoredLease[];
}

export interface PresenceChanges extends Due {
  /** The topic's newest, which may lie beyond the changes given. */
  readonly revision: number;
  /** Whether changes after the one asked about are gone, or the topic is another: then there are none here. */
  readonly forgotten: boolean;
  readonly changes: readonly PresenceChange[];
}

export interface PresenceHeads extends Due {
  /** In the order asked; 0 where nothing is known of the topic. */
  readonly revisions: readonly number[];
}

/** A lease that a stream keeps alive. */
export interface BoundLease {
  readonly stream: string;
  readonly topic: string;
  readonly member: string;
  readonly ttlMs: number;
}

/** A stream that has ended. Times are whole milliseconds. */
export interface EndedStream {
  readonly stream: string;
  /** When it ended, in ms before now. Leases that were renewed since go on. */
  readonly agoMs: number;
  /** How long the others may go on, in ms from now. */
  readonly graceMs: number;
}

export interface Swept extends Due {
  /** Topics in which leases were ended, with their newest revisions. */
  readonly heads: readonly (readonly [topic: string, revision: number])[];
}

export interface PresenceStore {
  /**
   * Joins or renews. Concurrent calls share statements.
   * @throws StoreUnavailable when the medium cannot be reached in time, or too much waits already
   */
  join(join: Join): Promise<Joined>;
  /** Ends a lease. @throws StoreUnavailable */
  leave(leave: Leave): Promise<Left>;
  /** All members of a topic, of one moment. @throws StoreUnavailable */
  list(topic: string): Promise<PresenceList>;
  /** The changes of a topic after a revision, in order, at most `limit`. @throws StoreUnavailable */
  changes(topic: string, after: number, limit: number): Promise<PresenceChanges>;
  /** The newest revisions of topics. @throws StoreUnavailable */
  heads(topics: readonly string[]): Promise<PresenceHeads>;
  /**
   * Renews all leases of these streams that were not swept yet, for their ttl.
   * @returns those that were renewed @throws StoreUnavailable
   */
  keepAlive(streams: readonly string[]): Promise<readonly BoundLease[]>;
  /** Frees the leases of these streams from them, and lets those without a later sign of life go on for the grace at most. @throws StoreUnavailable */
  release(streams: readonly EndedStream[]): Promise<void>;
  /** Ends leases that have expired, in steps that hold no topic for long. @throws StoreUnavailable */
  sweep(): Promise<Swept>;
  /** Told before {@link keepAlive}: a stream of this node has a lease of this topic, or is about to. For stores that keep topics apart. */
  bound?(stream: string, topic: string): void;
  /** Forgets old changes, and topics of which nothing is left. @throws StoreUnavailable */
  prune(): Promise<void>;
}
