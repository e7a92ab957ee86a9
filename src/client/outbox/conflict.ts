/** A write that somebody else's change stands against, and who decides. */
import type { Mutation, Row, Write } from '../mutation.ts';
import type { Refusal } from '../request.ts';
import type { Kept } from './store.ts';
import { changeOf } from './to-request.ts';
import { renewed } from './transitions.ts';
import { versionOf } from './verdict.ts';

export interface Conflict {
  readonly mutation: Mutation;
  /** The record that the write started from; `undefined` where it is not known. */
  readonly base: Row | undefined;
  /** The record as it is now, of a patch. What a precondition has stopped must be read for that. */
  readonly current: Row | undefined;
  /** The patch, or the record that was to replace it; empty for a delete. */
  readonly yours: Row;
  /** The fields in dispute: of a patch. */
  readonly fields: readonly string[];
}

/**
 * What is to be done: another patch (for a replace, another record); the same again, on top of what is there now; nothing, because theirs
 * stands. `undefined` makes it a dead letter, for somebody to decide later. A replace or a delete is sent without its precondition then.
 */
export type Resolution = Row | 'mine' | 'theirs' | undefined;

/** Decides a conflict. What it throws makes a dead letter. Its lane waits for it. */
export type Resolve = (conflict: Conflict) => Resolution | Promise<Resolution>;

/**
 * Asks what is to become of a write that the server has refused.
 *
 * @returns what changes; nothing where it is no conflict, or nobody decides
 */
export async function resolveConflict(mutation: Mutation, problem: Refusal, resolve: Resolve): Promise<Partial<Kept>> {
  const { write } = mutation;
  const { status, code, base, current, fields = [] } = problem;
  if ((status !== 412 && code !== 'conflict') || write.kind === 'publish' || write.kind === 'create') return {};
  const resolution = await resolve({ mutation, base, current, yours: changeOf(write) ?? {}, fields });
  if (!resolution) return {};
  if (resolution === 'theirs') return { gone: 'discarded' };
  const { kind, collection, key } = write;
  let next: Write = write;
  if (resolution !== 'mine')
    next =
      kind === 'replace' ? { ...write, record: resolution } : { kind: 'patch', collection, key, patch: resolution };
  return { ...renewed(mutation), write: next, base: versionOf(current) };
}
