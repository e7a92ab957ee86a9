/** What becomes of a request for records: values, which the routes turn into answers. */
import type { ProblemCode, ProblemIssue } from '../protocol/problem.ts';

/** It was refused, and nothing was changed. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: ProblemCode;
  /** For the caller to read: never the database's own text. */
  readonly detail?: string;
  readonly errors?: readonly ProblemIssue[];
}

/** The client and somebody else changed the same fields in ways that no policy brings together. Nothing was changed. */
export interface Conflict {
  readonly kind: 'conflict';
  /** The record that the client started from, as JSON text; `undefined` when it is no longer known. */
  readonly base: string | undefined;
  /** The record as it is now, as JSON text. */
  readonly current: string;
  /** The client's patch, as JSON text. */
  readonly yours: string;
  readonly fields: readonly string[];
}

/** One record in wire form, as JSON text. */
export interface Found {
  readonly kind: 'found';
  readonly record: string;
  readonly version: string;
}

/** The caller has this version already. */
export interface Unchanged {
  readonly kind: 'unchanged';
  readonly version: string;
}

export interface Listed {
  readonly kind: 'listed';
  /** In wire form, JSON text each. */
  readonly records: readonly string[];
  /** The position of the collection's stream at which the records are what they are. */
  readonly cursor: string;
  /** Where the next page begins; `undefined` after the last. */
  readonly next: string | undefined;
}

/** Versions of one record, the newest first. */
export interface Recounted {
  readonly kind: 'recounted';
  /** JSON text each. */
  readonly versions: readonly string[];
  /** Where the next page begins; `undefined` after the last. */
  readonly next: string | undefined;
  /** `false` when versions among these, or before them, are no longer known. */
  readonly complete: boolean;
}

export interface WrittenRecord {
  readonly key: string;
  /** In wire form, JSON text. */
  readonly record: string;
  readonly version: string;
}

export interface Written {
  readonly kind: 'written';
  readonly effect: 'created' | 'changed' | 'removed';
  /** As many as were sent, in their order; none for what was removed. */
  readonly records: readonly WrittenRecord[];
  /** Whether both the client and somebody else had changed something since the client's base version. */
  readonly merged: boolean;
  /** Whether this is the answer to the first request of the same idempotency key. */
  readonly replayed: boolean;
}

/** Ends a transaction such that it is rolled back, and the outcome told. Never leaves this room. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly outcome: Refusal | Conflict;

  constructor(outcome: Refusal | Conflict) {
    super(outcome.kind === 'refused' ? outcome.code : 'conflict');
    this.outcome = outcome;
  }
}

export function refuse(code: ProblemCode, detail?: string, errors?: readonly ProblemIssue[]): Refused {
  return new Refused({
    kind: 'refused',
    code,
    ...(detail !== undefined && { detail }),
    ...(errors !== undefined && { errors }),
  });
}
