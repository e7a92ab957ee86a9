/** Why a write was not taken, or will not be confirmed. */
import type { Refusal } from '../request.ts';

export type OutboxErrorCode =
  /** The outbox holds as many writes as it may, dead letters included. */
  | 'full'
  /** The browser gives no more room. */
  | 'quota'
  /** The store failed: see `cause`. */
  | 'storage'
  /** Somebody took it out of the outbox, or a resolver decided for the server's side. */
  | 'discarded'
  /** The server refused it (`problem`): it is a dead letter now. */
  | 'refused'
  /** Nobody can tell whether it was applied: it is a dead letter now. */
  | 'uncertain'
  /** There is no dead letter of this id. */
  | 'missing'
  /** The outbox was closed. What it has taken stays in the store. */
  | 'closed';

/** Look at `code`: the message is for people. */
export class OutboxError extends Error {
  override readonly name = 'OutboxError';
  readonly code: OutboxErrorCode;
  /** What the server said, where it did. */
  readonly problem: Refusal | undefined;

  constructor(code: OutboxErrorCode, details: { readonly problem?: Refusal; readonly cause?: unknown } = {}) {
    super(`outbox: ${code}${details.problem ? ` (${details.problem.code}: ${details.problem.title})` : ''}`, details);
    this.code = code;
    this.problem = details.problem;
  }
}
