/**
 * The outbox: writes that wait for the server, and survive until it has answered.
 *
 * **Once.** A write that was taken (`queued`) is applied exactly once, or is a dead letter: it is sent under one idempotency key until the
 * server has answered, by whichever tab drains, also after a crash. Where the server can have forgotten the key, it is not sent again by
 * itself. Events that are ephemeral have no such key: they may come twice.
 * **Order.** Per topic and per record, in the order of enqueueing, one after the other; among them, four at a time. A dead letter lets
 * pass what is behind it.
 * **Limit.** 1,000 mutations unless told, dead letters among them. What does not fit is refused (`full`), and nothing is dropped.
 * **Identity.** An outbox belongs to one user of one server, and so does its name. When another user comes, close it before their token
 * is used: nothing is sent after `close`.
 */
import type { Mutation, MutationAnswer, Write } from '../mutation.ts';
import type { Request } from '../request.ts';
import type { Resolve } from './conflict.ts';
import type { OutboxStore } from './store.ts';

/** `navigator.locks`, as far as it is needed. */
export interface Locks {
  request(name: string, options: { readonly signal: AbortSignal }, granted: () => Promise<void>): Promise<unknown>;
}

/** What other tabs are told by: a `BroadcastChannel`. */
export interface Channel {
  onmessage: ((event: MessageEvent) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export interface OutboxEnvironment {
  /** ms since 1970 */
  readonly clock: () => number;
  /** from 0 up to 1 */
  readonly random: () => number;
  /** Makes an id that there is no other of: printable ASCII without a `.`, at most 180 characters. */
  readonly createId: () => string;
  /** Without these two, each tab drains by itself. */
  readonly locks?: Locks | undefined;
  readonly openChannel?: ((name: string) => Channel) | undefined;
}

export interface OutboxOptions {
  /** Of {@link outboxName}. */
  readonly name: string;
  /** Not to reject. */
  readonly store: Promise<OutboxStore>;
  readonly request: Request;
  readonly environment: OutboxEnvironment;
  /** The most mutations of all tabs; 1,000 unless told. */
  readonly limit?: number | undefined;
  /**
   * Whether a stream of any tab shows the events of a topic, so that an acknowledged write waits for it, for a minute at most. Nobody's
   * unless told: a write is settled as soon as it is acknowledged.
   */
  readonly watches?: ((topic: string) => boolean) | undefined;
  /** Without it, a conflict makes a dead letter. */
  readonly resolve?: Resolve | undefined;
  /** Told of what fails where nobody waits for it: the store, a resolver, a listener. */
  readonly onError: (error: unknown) => void;
}

/** How a write was confirmed. */
export type Confirmed = MutationAnswer;

/** A write that was given to the outbox. Neither promise has to be handled. */
export interface Enqueued {
  readonly id: string;
  /** Resolves when the write is stored. Rejects with an `OutboxError`: `full`, `quota`, `storage`, `closed`; `missing` of a dead letter. */
  readonly queued: Promise<void>;
  /**
   * Resolves when the server has applied it, to its answer. Rejects as `queued` does, and with `refused` or `uncertain` when it has become
   * a dead letter, `discarded`, or `closed`: the last says nothing of the write, which goes on when the outbox is opened again.
   */
  readonly confirmed: Promise<Confirmed>;
}

export interface Outbox {
  /** @throws TypeError, URIError when the write is no JSON, or names what no path can name */
  enqueue(write: Write): Enqueued;
  /** What is not yet confirmed or settled: pending, in flight or acknowledged. As far as this tab knows, in order. */
  pending(): readonly Mutation[];
  deadLetters(): readonly Mutation[];
  /** Sends a dead letter again. */
  retry(id: string): Enqueued;
  /** Sends another write in the place of a dead letter. */
  edit(id: string, write: Write): Enqueued;
  /**
   * Takes out a dead letter, or a write that was never sent.
   * @returns whether it did. @throws OutboxError `quota`, `storage`, `closed`
   */
  discard(id: string): Promise<boolean>;
  /**
   * Calls a listener with each mutation that changes from now on, in order for each of them: at once when it is enqueued; the last time, when
   * it is `gone`. The first time that the store is read, with all that is there.
   * @returns the end of it
   */
  observe(listener: (mutation: Mutation) => void): () => void;
  /**
   * An event was seen that this key caused, or a list that has its effect (of an acknowledged record, this version or a later one):
   * to be called for every event with a `mutation`, of other clients too.
   */
  settle(key: string): void;
  /** The network, the stream, or a new token is there: tries at once what waits to be tried again. */
  wake(): void;
  /** Lets another tab drain, because this one is about to be frozen; what it has sent is sent again. Until `resume`. */
  suspend(): void;
  resume(): void;
  /** Stops at once. What is stored stays. */
  close(): void;
}

/** The name of the outbox of a user. @param url where the API is mounted @param user whose writes they are: the token's `sub` */
export function outboxName(url: string, user: string | undefined): string {
  return `sluice-outbox:${JSON.stringify([url, user])}`;
}
