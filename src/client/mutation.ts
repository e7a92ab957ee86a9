/** A write on its way: what the outbox keeps, and what shows it before the server does. */
import type { EventInput } from '../protocol/event.ts';
import type { Refusal } from './request.ts';

/** A record, and a change of one (RFC 7396), as JSON objects. */
export type Row = { readonly [field: string]: unknown };

/** What is to be written. */
export type Write =
  | { readonly kind: 'publish'; readonly topic: string; readonly events: readonly EventInput[] }
  /** `key` is known where the client chose it. */
  | { readonly kind: 'create'; readonly collection: string; readonly key?: string | undefined; readonly record: Row }
  /** `base` is the version that the change started from: it asks for a three-way merge (protocol section 6.5). */
  | {
      readonly kind: 'patch';
      readonly collection: string;
      readonly key: string;
      readonly patch: Row;
      readonly base?: number | undefined;
    }
  /** `version` is what the client saw, for `If-Match`. */
  | {
      readonly kind: 'replace';
      readonly collection: string;
      readonly key: string;
      readonly record: Row;
      readonly version?: number | undefined;
    }
  | {
      readonly kind: 'delete';
      readonly collection: string;
      readonly key: string;
      readonly version?: number | undefined;
    };

/**
 * Where a write is: stored and waiting; sent, its answer not yet known; answered with success, and not yet seen on the stream; refused for
 * good, and kept for somebody to decide.
 */
export type MutationState = 'pending' | 'in-flight' | 'acknowledged' | 'dead';

/** One write in the outbox. Plain data, as it is stored. */
export interface Mutation {
  /** Unlike any other's; the first `Idempotency-Key`. */
  readonly id: string;
  /** Its place among all writes of this outbox, of every tab: ascending in the order of enqueueing. */
  readonly order: number;
  /** Writes of one lane are sent one after the other, in order: a topic, or a record. */
  readonly lane: string;
  readonly write: Write;
  readonly state: MutationState;
  /** How often it was changed after it was enqueued: each time it is another request, with another key. */
  readonly revision: number;
  readonly attempts: number;
  /** ms since 1970 */
  readonly enqueued: number;
  /**
   * When this revision was first sent, ms since 1970, while it may have been applied without our knowing: absent before it is sent, and
   * again once the server has said that it did not apply it.
   */
  readonly sent?: number | undefined;
  readonly answer?: MutationAnswer | undefined;
  /** Why it is dead. */
  readonly refusal?: MutationRefusal | undefined;
  /** Why it is not kept any more: the stream has shown it, or somebody has discarded it. */
  readonly gone?: 'settled' | 'discarded' | undefined;
}

/** What the server answered to a write that it applied. */
export interface MutationAnswer {
  /** Of a record, the version that it has now. */
  readonly version?: number | undefined;
  /** The whole body; `undefined` of a delete, which has none. */
  readonly body?: unknown;
  /** Whether somebody else's changes since the base were merged in (protocol section 6.5). */
  readonly merged: boolean;
}

/**
 * Why a write cannot be sent again as it is: the server refused it, and did not apply it; or nobody can tell whether it was applied, since
 * an answer was lost and the server has forgotten the key meanwhile, or gives another answer (`problem`) than it would have given at first.
 */
export type MutationRefusal =
  | { readonly kind: 'refused'; readonly problem: Refusal }
  | { readonly kind: 'uncertain'; readonly problem?: Refusal };

/** The `Idempotency-Key` of a mutation, and so the `mutation` of the events that it causes. */
export function mutationKey({ id, revision }: Pick<Mutation, 'id' | 'revision'>): string {
  return revision === 0 ? id : `${id}.${revision}`;
}

/** The id of the mutation whose key this is. */
export function mutationOf(key: string): string {
  const dot = key.indexOf('.');
  return dot === -1 ? key : key.slice(0, dot);
}
