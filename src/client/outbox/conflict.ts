/** A write that somebody else's change stands against, and who decides. */
import type { Mutation, Row, Write } from '../mutation.ts';
import type { Refusal, Request } from '../request.ts';
import { recordPath } from './to-request.ts';
import { isObject, isPassing, versionIn, versionOf } from './verdict.ts';

export interface Conflict {
  readonly mutation: Mutation;
  /** The record that the write started from; `undefined` where it is not known. */
  readonly base: Row | undefined;
  /** The record as it is now; `undefined` where it is not there. */
  readonly current: Row | undefined;
  /** The patch, or the record that was to replace it; empty for a delete. */
  readonly yours: Row;
  /** The fields in dispute: of a patch. */
  readonly fields: readonly string[];
}

/**
 * What is to be done: another patch (for a replace, another record); the same again, on top of what is there now; nothing, because theirs
 * stands. `undefined` makes it a dead letter, for somebody to decide later.
 */
export type Resolution = Row | 'mine' | 'theirs' | undefined;

/** Decides a conflict. What it throws makes a dead letter. Its lane waits for it. */
export type Resolve = (conflict: Conflict) => Resolution | Promise<Resolution>;

/** What stands against a write, and the version of it. */
export interface Dispute {
  readonly conflict: Conflict;
  readonly version: number | undefined;
}

/**
 * Finds out what stands against a write. A refused patch says so itself; for what a precondition has stopped, the record is read.
 *
 * @returns `undefined` where that cannot be found out for now
 */
export async function findDispute(
  mutation: Mutation,
  problem: Refusal,
  request: Request,
  signal: AbortSignal,
): Promise<Dispute | undefined> {
  const { write } = mutation;
  if (write.kind === 'publish' || write.kind === 'create') return undefined;
  let said: Row = problem;
  let version = versionIn(problem['current']);
  if (write.kind !== 'patch') {
    const answer = await request('GET', recordPath(write.collection, write.key), { signal });
    if (answer.kind === 'ok') {
      said = { current: answer.body };
      version = versionOf(answer);
    } else if (answer.kind === 'refused' && !isPassing(answer.problem)) said = {};
    else return undefined;
  }
  const { base, current, fields } = said;
  return {
    conflict: {
      mutation,
      base: isObject(base) ? base : undefined,
      current: isObject(current) ? current : undefined,
      yours: write.kind === 'patch' ? write.patch : write.kind === 'replace' ? write.record : {},
      fields: Array.isArray(fields) ? fields.filter((field) => typeof field === 'string') : [],
    },
    version,
  };
}

/** The write that a resolution makes; `undefined` where theirs stands. */
export function resolvedWrite(
  write: Write,
  resolution: Row | 'mine' | 'theirs',
  version: number | undefined,
): Write | undefined {
  if (resolution === 'theirs' || write.kind === 'publish' || write.kind === 'create') return undefined;
  const { collection, key } = write;
  if (resolution === 'mine') return write.kind === 'patch' ? { ...write, base: version } : { ...write, version };
  return write.kind === 'replace'
    ? { ...write, record: resolution, version }
    : { kind: 'patch', collection, key, patch: resolution, base: version };
}
